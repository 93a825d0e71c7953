"""InsightFace's first models, of MXNet, read and written without it."""
