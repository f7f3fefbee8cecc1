//! Colours on light and on dark. Blue and orange are told apart by colour-blind people, too.

use crate::Ink;

/// What a picture is looked at on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// On white.
    #[default]
    Light,
    /// On a dark grey.
    Dark,
}

impl Theme {
    pub(crate) fn background(self) -> &'static str {
        self.either("#ffffff", "#10161d")
    }

    pub(crate) fn text(self) -> &'static str {
        self.either("#1c2733", "#eaf0f6")
    }

    /// For labels that are looked up, not read.
    pub(crate) fn label(self) -> &'static str {
        self.either("#4d5a68", "#a9b6c3")
    }

    pub(crate) fn grid(self) -> &'static str {
        self.either("#e6eaef", "#242e39")
    }

    pub(crate) fn axis(self) -> &'static str {
        self.either("#b4bec9", "#4a5866")
    }

    pub(crate) fn ink(self, ink: Ink) -> &'static str {
        match ink {
            Ink::Quiet => self.either("#8392a3", "#8a99a9"),
            Ink::Cool => self.either("#0a6ebd", "#58b0f0"),
            Ink::Warm => self.either("#d9580b", "#f39a3d"),
        }
    }

    /// How much of an area's colour covers what is below it.
    pub(crate) fn area(self) -> &'static str {
        self.either("0.15", "0.22")
    }

    fn either(self, light: &'static str, dark: &'static str) -> &'static str {
        match self {
            Theme::Light => light,
            Theme::Dark => dark,
        }
    }
}
