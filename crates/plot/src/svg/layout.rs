//! Where everything goes: margins, panels, axes.

use super::{legend, sheet};
use crate::{
    Chart, Extent, Layer, Panel, Scale, Values,
    ticks::{self, TimeTick, ValueTick},
};

/// As large as a picture is, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From above to below.
    pub height: u32,
}

/// The width that fonts and margins are meant for.
const USUAL_WIDTH: f64 = 1200.0;
/// The least height of a panel's drawing, in pixels of that width.
const LEAST_PANEL: f64 = 96.0;
/// Room above and below values. Marks of moves need more, for their labels.
const ROOM: f64 = 0.06;
const ROOM_FOR_LABELS: f64 = 0.16;

/// The places of a picture.
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) unit: f64,
    pub(super) margin: f64,
    /// Between an axis and its labels.
    pub(super) gap: f64,
    /// Font sizes.
    pub(super) title: f64,
    pub(super) text: f64,
    pub(super) title_line: f64,
    pub(super) subtitle_line: f64,
    pub(super) times: Vec<TimeTick>,
    pub(super) areas: Vec<Area>,
}

/// The place of a panel: its legend lies above `top`.
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// The baseline of the legend's last line, which the unit shares.
    pub(super) first_line: f64,
    /// How many lines the legend has.
    pub(super) lines: usize,
    pub(super) time: Scale,
    pub(super) value: Scale,
    pub(super) ticks: Vec<ValueTick>,
}

/// Sizes that follow from the width alone.
struct Measures {
    unit: f64,
    margin: f64,
    gap: f64,
    title: f64,
    text: f64,
}

impl Measures {
    fn of(width: u32) -> Self {
        let unit = (f64::from(width) / USUAL_WIDTH).clamp(0.6, 2.0);
        Measures { unit, margin: 26.0 * unit, gap: 9.0 * unit, title: 23.0 * unit, text: 16.0 * unit }
    }

    /// Title, range of time, and what separates them from the panels.
    fn head(&self) -> f64 {
        self.margin * 0.85 + self.title + self.text * 1.7
    }

    /// The labels of the time axis.
    fn foot(&self) -> f64 {
        self.gap + self.text * 2.3 + self.margin * 0.6
    }

    fn legend(&self, lines: usize) -> f64 {
        self.text * (1.0 + 1.5 * lines as f64)
    }
}

/// The least height at which panels of such heights can be read: 1 for a whole one, 0.5 for a half.
pub fn least_height(panels: f64, width: u32) -> u32 {
    let measures = Measures::of(width);
    let panel = LEAST_PANEL * measures.unit + measures.legend(1);
    (measures.head() + measures.foot() + panels * panel).ceil() as u32
}

impl Layout {
    pub(super) fn of(chart: &Chart, size: Size) -> Self {
        let measures = Measures::of(size.width);
        let (first, last) = chart.times().unwrap_or((0, 1));
        let heights = heights(chart, size, &measures);
        let values: Vec<(Extent, Vec<ValueTick>)> = chart
            .panels
            .iter()
            .zip(&heights)
            .map(|(panel, height)| axis(panel, *height, measures.text))
            .collect();
        let labels = values.iter().flat_map(|(_, ticks)| ticks).map(|tick| tick.label.as_str());
        let labels = labels.chain(chart.panels.iter().map(|panel| panel.values.unit())).chain(["UTC"]);
        let widest = labels.map(|label| sheet::width(label, measures.text)).fold(0.0, f64::max);
        let left = measures.margin * 0.7 + widest + measures.gap;
        let right = f64::from(size.width) - measures.margin * 1.2;
        let time = time_scale(first, last, (left, right));
        let mut layout = Layout {
            size,
            unit: measures.unit,
            margin: measures.margin,
            gap: measures.gap,
            title: measures.title,
            text: measures.text,
            title_line: measures.margin * 0.75 + measures.title * 0.8,
            subtitle_line: measures.margin * 0.75 + measures.title + measures.text * 1.15,
            times: time_ticks(first, last, right - left, measures.text),
            areas: Vec::new(),
        };
        let mut top = measures.head();
        for (panel, (height, (extent, ticks))) in chart.panels.iter().zip(heights.into_iter().zip(values)) {
            let lines = legend::lines(panel, measures.text, right - left - measures.gap);
            top += measures.legend(lines);
            let first_line = top - measures.text * 0.95;
            let bottom = top + height;
            let value = Scale { values: extent, places: (bottom, top) };
            layout.areas.push(Area { left, right, top, bottom, first_line, lines, time, value, ticks });
            top = bottom;
        }
        layout
    }
}

/// What each panel has for its drawing, of what is left.
fn heights(chart: &Chart, size: Size, measures: &Measures) -> Vec<f64> {
    let room = f64::from(size.width) * 0.85;
    let legends = chart.panels.iter().map(|panel| measures.legend(legend::lines(panel, measures.text, room)));
    let left = f64::from(size.height) - measures.head() - measures.foot() - legends.sum::<f64>();
    let shares: Vec<f64> = chart.panels.iter().map(|panel| panel.values.share()).collect();
    let all: f64 = shares.iter().sum();
    shares.into_iter().map(|share| (left * share / all).max(1.0)).collect()
}

impl Values {
    /// How high such a panel is, beside others.
    pub fn share(&self) -> f64 {
        match self {
            Values::Price(_) => 1.0,
            Values::Percent => 0.5,
        }
    }
}

fn axis(panel: &Panel, height: f64, text: f64) -> (Extent, Vec<ValueTick>) {
    let labels = panel.layers.iter().any(|layer| matches!(layer, Layer::Moves { .. }));
    let extent = panel.extent().with_room(if labels { ROOM_FOR_LABELS } else { ROOM });
    let most = (height / (text * 1.9)).clamp(2.0, 8.0) as usize;
    let ticks = ticks::values(extent.low, extent.high, most);
    (extent, ticks)
}

/// The times with a little room at both ends, so that lines do not begin on the axis.
fn time_scale(first: i64, last: i64, places: (f64, f64)) -> Scale {
    let (first, last) = (first as f64, last as f64);
    let room = if last > first { (last - first) * 0.006 } else { 1_000.0 };
    Scale { values: Extent { low: first - room, high: last + room }, places }
}

/// As many marks as their labels have room for.
fn time_ticks(first: i64, last: i64, room: f64, text: f64) -> Vec<TimeTick> {
    let fits = |most: &usize| {
        let label = ticks::time_width(first, last, *most) as f64 * 0.57 * text;
        (label + 2.2 * text) * *most as f64 <= room
    };
    let most = (2..=12).rev().find(fits).unwrap_or(2);
    ticks::times(first, last, most)
}
