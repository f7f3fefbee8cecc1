//! What streams bring, and whether it is complete.

use super::{Dashboard, Row, of_workers, or_none, panel::Panel, row, variable};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "streams",
        title: "pricepipe / Streams",
        description: "Connections to the exchanges' streams, and the completeness of what they bring.",
        variables: of_workers(variable(
            "symbol",
            "Symbol",
            "label_values(pricepipe_source_symbol_silence_seconds{namespace=~\"$namespace\", \
                    pipeline=~\"$pipeline\"}, symbol)",
        )),
        rows: vec![glance(), connections(), completeness()],
    }
}

fn glance() -> Row {
    row(
        "At a glance",
        [
            Panel::number("Connections", "short", "Those that are subscribed.")
                .query("connections", "sum(pricepipe_source_connections{$worker}) or vector(0)"),
            Panel::number(
                "Frames",
                "cps",
                "Frames a second with something of a market. A frame of Kraken may hold several trades.",
            )
            .query(
                "frames",
                "sum(rate(pricepipe_source_frames_total{$worker, kind=\"data\"}[$rate])) or vector(0)",
            ),
            Panel::number("Gaps that stay", "short", "Gaps of the time shown that history does not fill.")
                .query(
                    "gaps",
                    "sum(increase(pricepipe_source_gaps_total{$worker, outcome=\"unfillable\"}[$__range])) \
                        or vector(0)",
                )
                .thresholds(&[(1.0, "red")]),
            Panel::number("Oldest open gap", "s", "For how long the oldest gap waits for its repair.")
                .query("open", "max(pricepipe_source_gap_open_seconds{$worker}) or vector(0)")
                .thresholds(&[(60.0, "yellow"), (300.0, "red")]),
            Panel::number(
                "Longest silence",
                "s",
                "For how long nothing has come of the quietest symbol. A quiet market is no fault.",
            )
            .query("silence", "max(pricepipe_source_symbol_silence_seconds{$worker}) or vector(0)"),
            Panel::number(
                "Left out",
                "short",
                "Prices and quotes of the time shown that gave way to later ones, because Kafka was behind. \
                    Trades never do.",
            )
            .query(
                "left out",
                "sum(increase(pricepipe_source_conflated_total{$worker}[$__range])) or vector(0)",
            )
            .thresholds(&[(1.0, "yellow")]),
        ],
    )
}

fn connections() -> Row {
    row(
        "Connections",
        [
            Panel::graph("Connections by exchange", "short", "Those that are subscribed.").query(
                "{{exchange}}",
                or_none("sum by (exchange) (pricepipe_source_connections{$worker})", "exchange"),
            ),
            Panel::graph(
                "Data by exchange",
                "cps",
                "Frames a second with something of a market. A frame of Kraken may hold several trades.",
            )
            .query(
                "{{exchange}}",
                or_none(
                    "sum by (exchange) (rate(pricepipe_source_frames_total{$worker, kind=\"data\"}[$rate]))",
                    "exchange",
                ),
            ),
            Panel::graph(
                "Frames by kind",
                "cps",
                "Frames a second. Unknown ones are of a type that is new, malformed ones cannot be read.",
            )
            .query(
                "{{kind}}",
                or_none("sum by (kind) (rate(pricepipe_source_frames_total{$worker}[$rate]))", "kind"),
            ),
            Panel::graph(
                "Ends by reason",
                "short",
                "Connections that ended within five minutes. Replaced ones ended because another had taken \
                    over before.",
            )
            .sized(12, 8)
            .query(
                "{{exchange}} {{reason}}",
                or_none(
                    "sum by (exchange, reason) (increase(pricepipe_source_disconnects_total{$worker}[5m]))",
                    "reason",
                ),
            ),
            Panel::graph(
                "Tries to connect",
                "short",
                "Connections that were tried within five minutes, by how that ended.",
            )
            .sized(12, 8)
            .query(
                "{{exchange}} {{outcome}}",
                or_none(
                    "sum by (exchange, outcome) (increase(pricepipe_source_connects_total{$worker}[5m]))",
                    "outcome",
                ),
            ),
        ],
    )
}

fn completeness() -> Row {
    row(
        "Completeness",
        [
            Panel::graph(
                "Gaps by outcome",
                "short",
                "Since the producers started. Each is counted when it opens and when it ends.",
            )
            .query(
                "{{exchange}} {{outcome}}",
                or_none(
                    "sum by (exchange, outcome) (pricepipe_source_gaps_total{$worker, $symbols})",
                    "outcome",
                ),
            ),
            Panel::graph(
                "Open gaps",
                "s",
                "For how long the oldest gap of a symbol waits for its repair, of the ten that wait longest.",
            )
            .query(
                "{{exchange}} {{symbol}}",
                or_none(
                    "topk(10, max by (exchange, symbol) \
                        (pricepipe_source_gap_open_seconds{$worker, $symbols}) > 0)",
                    "symbol",
                ),
            )
            .thresholds(&[(300.0, "red")]),
            Panel::graph(
                "Silence",
                "s",
                "For how long nothing has come of a symbol, of the ten quietest.",
            )
            .query(
                "{{exchange}} {{symbol}}",
                or_none(
                    "topk(10, max by (exchange, symbol) \
                        (pricepipe_source_symbol_silence_seconds{$worker, $symbols}))",
                    "symbol",
                ),
            ),
            Panel::graph(
                "Out of the ordinary",
                "cps",
                "Observations a second that came from history, that were known already, or for which there \
                    was no room to wait: history is asked for them.",
            )
            .query(
                "{{exchange}} {{outcome}}",
                or_none(
                    "sum by (exchange, outcome) (rate(pricepipe_source_sorted_records_total{$worker}[$rate]))",
                    "outcome",
                ),
            ),
            Panel::graph(
                "Left out",
                "cps",
                "Prices and quotes a second that gave way to later ones, because Kafka was behind.",
            )
            .query(
                "{{exchange}} {{stream}}",
                or_none(
                    "sum by (exchange, stream) (rate(pricepipe_source_conflated_total{$worker}[$rate]))",
                    "stream",
                ),
            ),
            Panel::graph(
                "Unusable",
                "short",
                "Observations of streams and of history that could not be used, by reason, since the \
                    producers started.",
            )
            .query(
                "{{exchange}} {{reason}}",
                or_none(
                    "sum by (exchange, reason) (pricepipe_source_rejected_records_total{$worker})",
                    "reason",
                ),
            ),
        ],
    )
}
