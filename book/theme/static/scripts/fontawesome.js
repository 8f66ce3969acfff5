/* Takes the place of the theme's Font Awesome script (0.5 MB compressed). The few icons come from the theme's font. */
