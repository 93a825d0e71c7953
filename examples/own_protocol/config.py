"""``mlaface test examples/own_protocol/config.py MODEL --protocol triplets --data-root DIR``"""
custom_imports = dict(imports=['examples.own_protocol.triplets'])
