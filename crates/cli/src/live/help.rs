//! The help that lies over the live view. Pure.

use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, BorderType, Clear, Paragraph},
};

use super::{Titles, theme::Theme, wrap::wrapped};

const KEYS: [(&str, &str); 8] = [
    ("?  h", "this help"),
    ("q  Ctrl-C", "quit; `run` first stores what is under way"),
    ("s", "sort by pipeline order, symbol, change, age, lag"),
    ("r", "turn the order round"),
    ("p  space", "hold the picture; the pipeline goes on"),
    ("↑ ↓ PgUp PgDn", "scroll"),
    ("Home End", "the first, the last symbol"),
    ("Ctrl-Z", "stop for a while; `fg` goes on"),
];
const WORDS: [(&str, &str); 6] = [
    ("CHANGE", "since the first price that was seen"),
    ("AGE", "of the last price"),
    ("RATE", "messages in a second, over the last ten"),
    ("STORED", "messages whose document is in the store"),
    ("DUPLICATES", "messages of an observation that was told before"),
    ("LAG", "messages of the topic that are not stored yet"),
];
/// Where the meaning of a key begins.
const INDENT: usize = 15;
const WIDEST: u16 = 76;

/// Draws the help in the middle.
pub(super) fn draw(frame: &mut Frame<'_>, titles: &Titles, theme: Theme) {
    let screen = frame.area();
    let width = screen.width.min(WIDEST);
    let lines = lines(titles, usize::from(width.saturating_sub(4)), theme);
    let area = centred(screen, width, lines.len() as u16 + 2);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.accent())
        .title(Line::styled(" Help ", theme.strong()))
        .title_bottom(Line::from(" Esc closes ").right_aligned())
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn lines(titles: &Titles, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let entry = |name: &str, text: &str| {
        let lines = wrapped(text, width.saturating_sub(INDENT)).into_iter().enumerate();
        let line = |(index, text): (usize, String)| {
            let name = if index == 0 { name } else { "" };
            Line::from(vec![Span::styled(format!("{name:<INDENT$}"), theme.accent()), Span::raw(text)])
        };
        lines.map(line).collect::<Vec<_>>()
    };
    let keys = KEYS.iter().flat_map(|(key, meaning)| entry(key, meaning));
    let words = WORDS.iter().flat_map(|(word, meaning)| entry(word, meaning));
    let details = titles.details.iter().flat_map(|(name, text)| entry(name, text));
    let mut lines: Vec<Line<'static>> = keys.chain([Line::default()]).chain(words).collect();
    if !titles.details.is_empty() {
        lines.push(Line::default());
        lines.extend(details);
    }
    lines
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [row] =
        Layout::vertical([Constraint::Length(height.min(area.height))]).flex(Flex::Center).areas(area);
    let [middle] = Layout::horizontal([Constraint::Length(width)]).flex(Flex::Center).areas(row);
    middle
}
