"""``mlaface test examples/own_network/config.py FILE.eigenfaces.npz --sets data/lfw.bin``"""
custom_imports = dict(imports=['examples.own_network.eigenfaces'])
