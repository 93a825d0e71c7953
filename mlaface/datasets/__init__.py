"""Data: formats, sets, synthetic faces, transforms, samplers, preparation."""
