//! The whole picture: state, table, log, sums and keys, in what room there is. Pure.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect},
    style::{Color, Style},
    text::{Line, Span},
    widgets::{Block, BorderType, Padding, Paragraph},
};

use super::{
    Titles,
    controls::Controls,
    help,
    snapshot::{Phase, Snapshot},
    state,
    table::{Look, table},
    theme::Theme,
    trends::Trends,
    view::DRAINING,
    wrap::wrapped,
};

/// A terminal that is smaller has no room for frames.
const FRAMED: (u16, u16) = (64, 18);
/// As many log lines have room where symbols want it too.
const LOG_LINES: usize = 4;
/// The length of the bar that says how far a replay is.
const BAR: usize = 24;
/// The heading and one symbol.
const LEAST_TABLE: u16 = 2;
const KEYS: [(&str, &str); 5] =
    [("?", "help"), ("q", "quit"), ("s", "sort"), ("r", "reverse"), ("p", "pause")];

/// Everything that is drawn.
pub(super) struct Scene<'a> {
    /// What is looked at.
    pub titles: &'a Titles,
    /// The moment.
    pub snapshot: &'a Snapshot,
    /// The prices before it.
    pub trends: &'a Trends,
    /// The log lines, the newest last.
    pub logs: &'a [String],
    /// What was chosen by keys.
    pub controls: Controls,
    /// Colours, or none.
    pub theme: Theme,
}

/// Draws it, and tells how many symbols had room.
pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) -> usize {
    let area = frame.area();
    let framed = area.width >= FRAMED.0 && area.height >= FRAMED.1;
    let picture = Picture { scene, framed, width: usize::from(area.width) - if framed { 4 } else { 0 } };
    let (state, sums, logs) = (picture.state(), picture.sums(), picture.logs());
    // A frame takes two lines, and where there is none a title takes one.
    let (edge, title) = if framed { (2, 2) } else { (0, 1) };
    // Whoever comes first takes what it wants; the table keeps the least that it needs, and takes the rest.
    let mut left = area.height.saturating_sub(LEAST_TABLE + edge);
    let take = |left: &mut u16, wanted: usize| {
        let taken = wanted.min(usize::from(*left)) as u16;
        *left -= taken;
        taken
    };
    let (top, bottom) = (take(&mut left, state.len() + title), take(&mut left, sums.len()));
    let keys = take(&mut left, 1);
    // What the symbols leave is the log's, and a few lines even where they would take them.
    let symbols = scene.snapshot.rows.len();
    let spare = usize::from(left + 1).saturating_sub(symbols + title);
    let lines = logs.len().min(spare.max(LOG_LINES));
    let fits = usize::from(left + 1) >= lines + title + symbols.clamp(1, 3);
    let log = if lines > 0 && fits { take(&mut left, lines + title) } else { 0 };
    let [top, middle, log, bottom, keys] = Layout::vertical([
        Constraint::Length(top),
        Constraint::Min(LEAST_TABLE + edge),
        Constraint::Length(log),
        Constraint::Length(bottom),
        Constraint::Length(keys),
    ])
    .areas(area);
    picture.draw_state(frame, top, state);
    let visible = picture.draw_table(frame, middle);
    picture.draw_log(frame, log, logs);
    let inset = |area: Rect| if framed { area.inner(Margin::new(2, 0)) } else { area };
    frame.render_widget(Paragraph::new(sums), inset(bottom));
    frame.render_widget(picture.keys(), inset(keys));
    if scene.controls.help {
        help::draw(frame, scene.titles, scene.theme);
    }
    visible
}

struct Picture<'a> {
    scene: &'a Scene<'a>,
    framed: bool,
    /// What a line inside of a frame has.
    width: usize,
}

impl Picture<'_> {
    fn state(&self) -> Vec<Line<'static>> {
        let lines = if self.framed { state::full } else { state::short };
        lines(self.scene.snapshot, self.width, self.scene.theme)
    }

    fn sums(&self) -> Vec<Line<'static>> {
        let Snapshot { replay, sums, .. } = self.scene.snapshot;
        let bar = replay.iter().map(|share| share.bar(BAR));
        let lines = bar.chain([sums.text.clone()]).flat_map(|text| wrapped(&text, self.width));
        lines.map(Line::from).collect()
    }

    fn logs(&self) -> Vec<Line<'static>> {
        let lines = self.scene.logs.iter().flat_map(|line| wrapped(line, self.width));
        lines.map(Line::from).collect()
    }

    fn draw_state(&self, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
        let Titles { command, pipeline, .. } = self.scene.titles;
        // The order and the range share the line where there is no frame.
        let name = if self.framed { format!("pricepipe {command} · {pipeline}") } else { pipeline.clone() };
        let name = Line::styled(name, self.scene.theme.strong());
        let phase = match self.scene.snapshot.phase {
            Phase::Running => Line::default(),
            Phase::Draining => Line::styled("draining", self.scene.theme.warning()),
            Phase::Over => Line::from("over"),
        };
        self.draw_part(frame, area, name, phase, lines);
    }

    fn draw_table(&self, frame: &mut Frame<'_>, area: Rect) -> usize {
        let Scene { snapshot, controls, theme, trends, .. } = self.scene;
        let inner = self.block(Line::default(), Line::default()).inner(area);
        let rows = controls.sorted(&snapshot.rows);
        let visible = usize::from(inner.height.saturating_sub(1));
        let first = controls.first_of(rows.len(), visible);
        let shown = &rows[first..rows.len().min(first + visible)];
        let look = Look { trends, theme: *theme, stale_after: snapshot.stale_after };
        let range = if shown.len() < rows.len() {
            format!("{}–{} of {}", first + 1, first + shown.len(), rows.len())
        } else {
            format!("{} symbols", rows.len())
        };
        if self.framed {
            frame.render_widget(self.block(self.order(), Line::from(range)), area);
        } else {
            // The line of the state's title has room for it.
            let mut order = self.order();
            order.push_span(Span::raw(format!(" · {range}")));
            let title = Rect { height: 1, ..frame.area() };
            frame.render_widget(order.right_aligned(), title);
        }
        frame.render_widget(table(shown, self.width, look), inner);
        visible
    }

    /// How the rows are sorted, and whether the picture stands still.
    fn order(&self) -> Line<'static> {
        let Scene { controls, theme, .. } = self.scene;
        let reversed = if controls.reversed { ", reversed" } else { "" };
        let mut line = Line::from(format!("by {}{reversed}", controls.sort.name()));
        if controls.paused {
            line.spans.insert(0, Span::styled("PAUSED", theme.warning().patch(theme.strong())));
            line.spans.insert(1, Span::raw(" · "));
        }
        line
    }

    fn draw_log(&self, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
        if area.height > 0 {
            let room = usize::from(area.height).saturating_sub(if self.framed { 2 } else { 1 });
            let newest = lines[lines.len().saturating_sub(room)..].to_vec();
            self.draw_part(frame, area, Line::from("log"), Line::default(), newest);
        }
    }

    fn draw_part(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        name: Line<'static>,
        right: Line<'static>,
        lines: Vec<Line<'static>>,
    ) {
        if self.framed {
            frame.render_widget(Paragraph::new(lines).block(self.block(name, right)), area);
        } else {
            let mut all = vec![name];
            all.extend(lines);
            frame.render_widget(Paragraph::new(all), area);
        }
    }

    /// A frame with its titles, where there is room for frames.
    fn block(&self, left: Line<'static>, right: Line<'static>) -> Block<'static> {
        if !self.framed {
            return Block::new();
        }
        let padded = |mut line: Line<'static>| {
            if !line.spans.is_empty() {
                line.spans.insert(0, Span::raw(" "));
                line.spans.push(Span::raw(" "));
            }
            line
        };
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(self.scene.theme.faint())
            .title_style(Style::new().fg(Color::Reset))
            .padding(Padding::horizontal(1))
            .title(padded(left))
            .title(padded(right).right_aligned())
    }

    fn keys(&self) -> Line<'static> {
        let theme = self.scene.theme;
        if self.scene.snapshot.phase == Phase::Draining {
            return Line::styled(DRAINING, theme.warning());
        }
        let key = |(key, meaning): &(&'static str, &'static str)| {
            [Span::styled(*key, theme.accent()), Span::raw(format!(" {meaning}   "))]
        };
        Line::from(KEYS.iter().flat_map(key).collect::<Vec<_>>())
    }
}
