"""Sets from one layout to another, record by record: what is read, checked, written, and gone on with after a kill."""
