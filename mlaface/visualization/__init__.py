"""What attention does with a face: gates, weights and maps of a network, as numbers and as pictures."""
