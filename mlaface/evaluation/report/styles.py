"""Colours and dashes that tell models apart, the same in the page and in the PNG files."""

# Okabe and Ito (2008), which the colour-blind tell apart; without black and yellow, since pages are light or dark
COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#7f7f7f')
DASHES = ('', '7 3', '2 3', '9 3 2 3')


def series_styles(series):
    """Name of a series to its style, a number, in the order of the names."""
    styles = {}
    for line in series:
        styles.setdefault(line['name'], line.get('style', len(styles)))
    return styles


def style_of(number):
    """Colour and dashes of a style (int); dashes tell styles apart when there are more than colours."""
    return COLORS[number % len(COLORS)], DASHES[number // len(COLORS) % len(DASHES)]


def line_look(number):
    """A style (int) as matplotlib's arguments for a line."""
    color, dashes = style_of(number)
    return dict(color=color, linestyle=(0, tuple(map(float, dashes.split()))) if dashes else '-')


def stroke(style):
    """A style (int) as SVG's attributes of a line."""
    color, dashes = style_of(style)
    return f'stroke="{color}" stroke-width="2"' + (f' stroke-dasharray="{dashes}"' if dashes else '')


def line_sample(style):
    """A line of a style (int), 20 wide and 12 high, for a legend."""
    return f'<line x1="0" x2="20" y1="6" y2="6" {stroke(style)}/>'


def box_sample(color, opacity=1.0):
    """A filled square for a legend."""
    return f'<rect x="4" width="12" height="12" rx="2" fill="{color}" fill-opacity="{opacity}"/>'


def dot_sample(style):
    """A dot of a style (int) for a legend."""
    return f'<circle cx="10" cy="6" r="4" {dot_look(style)}/>'


def dot_look(style):
    """A style (int) as SVG's attributes of a dot; styles beyond the colours are hollow."""
    color, dashes = style_of(style)
    return f'fill="none" stroke="{color}" stroke-width="2"' if dashes else f'fill="{color}"'
