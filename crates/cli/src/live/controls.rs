//! What the keys of the live view do: sort, turn round, pause, scroll, help. Pure.

use std::cmp::Ordering;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::snapshot::Row;

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// As the pipeline's file has them.
    #[default]
    Pipeline,
    Symbol,
    /// The greatest rise first.
    Change,
    /// The oldest price first.
    Age,
    /// The greatest lag first.
    Lag,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Sort::Pipeline => Sort::Symbol,
            Sort::Symbol => Sort::Change,
            Sort::Change => Sort::Age,
            Sort::Age => Sort::Lag,
            Sort::Lag => Sort::Pipeline,
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Sort::Pipeline => "pipeline order",
            Sort::Symbol => "symbol",
            Sort::Change => "change",
            Sort::Age => "age",
            Sort::Lag => "lag",
        }
    }
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The key means nothing.
    Nothing,
    /// The picture is another one.
    Redraw,
    /// The user wants to leave.
    Quit,
    /// The user wants the shell for a while.
    Suspend,
}

/// What was chosen by keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Controls {
    /// What rows are sorted by.
    pub sort: Sort,
    /// Whether the last row comes first.
    pub reversed: bool,
    /// Whether the picture stands still.
    pub paused: bool,
    /// Whether the help is shown.
    pub help: bool,
    /// The first row that is shown.
    pub first: usize,
}

impl Controls {
    /// Does what a key means, where so many rows are visible at once.
    pub(super) fn press(&mut self, key: KeyEvent, visible: usize) -> Reaction {
        if key.kind == KeyEventKind::Release {
            return Reaction::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Reaction::Quit,
                KeyCode::Char('z') => Reaction::Suspend,
                _ => Reaction::Nothing,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Reaction::Quit,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            code => return self.scroll(code, visible),
        }
        Reaction::Redraw
    }

    fn scroll(&mut self, code: KeyCode, visible: usize) -> Reaction {
        self.first = match code {
            KeyCode::Up => self.first.saturating_sub(1),
            KeyCode::Down => self.first.saturating_add(1),
            KeyCode::PageUp => self.first.saturating_sub(visible.max(1)),
            KeyCode::PageDown => self.first.saturating_add(visible.max(1)),
            KeyCode::Home => 0,
            // Farther than there are rows: it is brought back when they are drawn.
            KeyCode::End => usize::MAX,
            _ => return Reaction::Nothing,
        };
        Reaction::Redraw
    }

    /// The first row that can be shown when there are so many and so many of them have room.
    pub(super) fn first_of(&self, rows: usize, visible: usize) -> usize {
        self.first.min(rows.saturating_sub(visible))
    }

    /// The rows in the order that was chosen. What is not known comes last, whichever way round.
    pub(super) fn sorted<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let mut sorted: Vec<&Row> = rows.iter().collect();
        match self.sort {
            Sort::Pipeline => {}
            Sort::Symbol => sorted.sort_by(|a, b| a.symbol.cmp(&b.symbol)),
            Sort::Change => self.order(&mut sorted, Row::change_percent, f64::total_cmp),
            Sort::Age => self.order(&mut sorted, |row| row.age, Ord::cmp),
            Sort::Lag => self.order(&mut sorted, |row| row.lag, Ord::cmp),
        }
        if self.reversed && matches!(self.sort, Sort::Pipeline | Sort::Symbol) {
            sorted.reverse();
        }
        sorted
    }

    fn order<T>(
        &self,
        rows: &mut [&Row],
        figure: impl Fn(&Row) -> Option<T>,
        compare: impl Fn(&T, &T) -> Ordering,
    ) {
        rows.sort_by(|a, b| match (figure(a), figure(b)) {
            (Some(a), Some(b)) if self.reversed => compare(&a, &b),
            (Some(a), Some(b)) => compare(&b, &a),
            (known, other) => other.is_some().cmp(&known.is_some()),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::live::row;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn rows() -> Vec<Row> {
        let aged = |symbol: &str, price: &str, seconds, lag| Row {
            age: Some(Duration::from_secs(seconds)),
            lag: Some(lag),
            ..row(symbol, price, 1)
        };
        vec![aged("B", "101", 1, 7), Row::waiting("D"), aged("C", "99", 9, 0), aged("A", "105", 5, 3)]
    }

    fn order(controls: Controls) -> String {
        controls.sorted(&rows()).iter().map(|row| row.symbol.as_str()).collect()
    }

    #[test]
    fn s_goes_through_every_order_and_r_turns_it_round() {
        let mut controls = Controls::default();
        let mut orders = Vec::new();
        for _ in 0..6 {
            let reversed = Controls { reversed: true, ..controls };
            orders.push((controls.sort.name(), order(controls), order(reversed)));
            assert_eq!(controls.press(key(KeyCode::Char('s')), 5), Reaction::Redraw);
        }
        let expected = [
            ("pipeline order", "BDCA", "ACDB"),
            ("symbol", "ABCD", "DCBA"),
            ("change", "ABCD", "CBAD"),
            ("age", "CABD", "BACD"),
            ("lag", "BACD", "CABD"),
            ("pipeline order", "BDCA", "ACDB"),
        ];
        assert_eq!(orders, expected.map(|(name, up, down)| (name, up.to_owned(), down.to_owned())));
        assert_eq!(controls.press(key(KeyCode::Char('r')), 5), Reaction::Redraw);
        assert!(controls.reversed);
    }

    #[test]
    fn scrolling_stops_at_both_ends() {
        let mut controls = Controls::default();
        let mut after = |code, rows, visible| {
            assert_eq!(controls.press(key(code), visible), Reaction::Redraw);
            controls.first = controls.first_of(rows, visible);
            controls.first
        };
        assert_eq!(after(KeyCode::Up, 40, 10), 0);
        assert_eq!(after(KeyCode::Down, 40, 10), 1);
        assert_eq!(after(KeyCode::PageDown, 40, 10), 11);
        assert_eq!(after(KeyCode::End, 40, 10), 30);
        assert_eq!(after(KeyCode::PageDown, 40, 10), 30);
        assert_eq!(after(KeyCode::PageUp, 40, 10), 20);
        assert_eq!(after(KeyCode::Home, 40, 10), 0);
        assert_eq!(after(KeyCode::End, 4, 10), 0, "all of them have room");
    }

    #[test]
    fn keys_pause_help_quit_and_suspend() {
        let mut controls = Controls::default();
        controls.press(key(KeyCode::Char(' ')), 5);
        controls.press(key(KeyCode::Char('?')), 5);
        assert!(controls.paused && controls.help);
        controls.press(key(KeyCode::Char('p')), 5);
        controls.press(key(KeyCode::Esc), 5);
        assert!(!controls.paused && !controls.help);
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        let reactions = [key(KeyCode::Char('q')), control('c'), control('z'), key(KeyCode::Char('x'))];
        let reactions = reactions.map(|key| controls.press(key, 5));
        assert_eq!(reactions, [Reaction::Quit, Reaction::Quit, Reaction::Suspend, Reaction::Nothing]);
    }
}
