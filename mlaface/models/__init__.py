"""Networks: recognizer, preprocessor, backbones, attention, branches, fusions, necks, margins, heads."""
