//! The colours of the live view. Without colours nothing is styled at all. Pure.

use ratatui::style::{Color, Style};

use super::snapshot::{Row, State};

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// Whether there are any.
    pub colours: bool,
}

impl Theme {
    fn when_coloured(self, style: Style) -> Style {
        if self.colours { style } else { Style::new() }
    }

    /// What stands out.
    pub(super) fn strong(self) -> Style {
        self.when_coloured(Style::new().bold())
    }

    /// What stands back.
    pub(super) fn faint(self) -> Style {
        self.when_coloured(Style::new().fg(Color::DarkGray))
    }

    /// What is pressed, and what it is called by.
    pub(super) fn accent(self) -> Style {
        self.when_coloured(Style::new().fg(Color::Cyan))
    }

    /// What somebody should look at.
    pub(super) fn warning(self) -> Style {
        self.when_coloured(Style::new().fg(Color::Yellow))
    }

    /// Rising is green, falling red.
    pub(super) fn change(self, row: &Row) -> Style {
        let style = match row.change_percent().unwrap_or(0.0) {
            c if c > 0.0 => Style::new().fg(Color::Green),
            c if c < 0.0 => Style::new().fg(Color::Red),
            _ => Style::new(),
        };
        self.when_coloured(style)
    }

    /// The colour of a part's mark.
    pub(super) fn state(self, state: &State) -> Style {
        let colour = match state {
            State::Waiting(_) => Color::Yellow,
            State::Fine(_) => Color::Green,
            State::Away(_) => Color::Red,
        };
        self.when_coloured(Style::new().fg(colour))
    }
}
