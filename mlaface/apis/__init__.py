"""What a user imports: init_model and friends."""
