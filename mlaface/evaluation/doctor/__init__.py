"""What ails a network whose numbers are worse than published: its images, its alignment, or the file itself."""
