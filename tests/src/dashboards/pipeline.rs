//! What flows, and how well: the first look at a pipeline.

use super::{
    Dashboard, Row, dead_letters, of_workers, or_none,
    panel::{BREAKER, CONDITION, Panel, merged},
    quantiles, row, variable,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "pipeline",
        title: "pricepipe / Pipelines",
        description: "Prices from the exchange through Kafka into the store.",
        variables: of_workers(variable(
            "symbol",
            "Symbol",
            "label_values(pricepipe_price{namespace=~\"$namespace\", pipeline=~\"$pipeline\"}, symbol)",
        )),
        rows: vec![glance(), prices(), flow(), exchange(), servers()],
    }
}

fn glance() -> Row {
    row(
        "At a glance",
        [
            Panel::number(
                "Oldest price",
                "s",
                "Age of the symbol that has waited longest for a price. It should be about the interval of \
                    the polls.",
            )
            .query(
                "age",
                "max(time() - max by (namespace, pipeline, exchange, symbol) \
                    (pricepipe_last_price_timestamp_seconds{$worker}))",
            )
            .thresholds(&[(60.0, "yellow"), (120.0, "red")]),
            Panel::number("Stored", "wps", "New documents a second.").query(
                "stored",
                "sum(rate(pricepipe_sink_documents_total{$worker, outcome=\"inserted\"}[$rate]))",
            ),
            Panel::number(
                "Not stored yet",
                "short",
                "Messages in Kafka that are not stored, those under way included.",
            )
            .query("lag", "sum(pricepipe_consumer_lag_messages{$worker})")
            .otherwise("unknown")
            .thresholds(&[(1_000.0, "yellow"), (100_000.0, "red")]),
            dead_letters(),
            Panel::number(
                "Skipped slots",
                "short",
                "Poll slots of the time shown that brought no price, or not all of them.",
            )
            .query(
                "skipped",
                "sum(increase(pricepipe_source_slots_skipped_total{$worker}[$__range])) or vector(0)",
            )
            .thresholds(&[(1.0, "yellow"), (100.0, "red")]),
            Panel::number(
                "Open breakers",
                "short",
                "Servers and hosts that are not asked for now, because they kept failing.",
            )
            .query("open", "count(pricepipe_breaker_state{$worker} == 2) or vector(0)")
            .thresholds(&[(1.0, "red")]),
        ],
    )
}

fn prices() -> Row {
    let columns = merged(&[
        ("namespace", "Namespace"),
        ("pipeline", "Pipeline"),
        ("exchange", "Exchange"),
        ("symbol", "Symbol"),
        ("Value #A", "Price"),
        ("Value #B", "Age"),
    ]);
    row(
        "Prices",
        [
            Panel::table(
                "Current prices",
                "The last price of each symbol, and how long ago it arrived.",
                columns,
            )
            .query(
                "",
                "max by (namespace, pipeline, exchange, symbol) (pricepipe_price{$worker, \
                $symbols})",
            )
            .query(
                "",
                "time() - max by (namespace, pipeline, exchange, symbol) \
                    (pricepipe_last_price_timestamp_seconds{$worker, $symbols})",
            )
            .column("Age", "s"),
            Panel::graph("Prices", "none", "As the exchange gave them.")
                .sized(8, 9)
                .with_free_axis()
                .query("{{symbol}}", "max by (symbol) (pricepipe_price{$worker, $symbols})"),
            Panel::graph(
                "Against the mean of an hour",
                "percent",
                "How far a price is from its own mean of the last hour: symbols of any size in one \
                    picture.",
            )
            .sized(8, 9)
            .with_free_axis()
            .query(
                "{{symbol}}",
                "100 * (max by (symbol) (pricepipe_price{$worker, $symbols}) / max by (symbol) \
                    (avg_over_time(pricepipe_price{$worker, $symbols}[1h])) - 1)",
            ),
            Panel::graph(
                "Age of the last price",
                "s",
                "Since the last price of a symbol arrived. A saw of the height of the polls' interval is \
                    normal.",
            )
            .sized(12, 8)
            .query(
                "{{pipeline}} {{symbol}}",
                "time() - max by (namespace, pipeline, symbol) \
                    (pricepipe_last_price_timestamp_seconds{$worker, $symbols})",
            )
            .thresholds(&[(120.0, "red")]),
            quantiles(
                Panel::graph(
                    "From the exchange into the store",
                    "s",
                    "From the moment that a price is of until it was stored. Prices that were stored \
                        before do not count.",
                )
                .sized(12, 8),
                "pricepipe_price_age_seconds",
            ),
        ],
    )
}

fn flow() -> Row {
    row(
        "Flow",
        [
            Panel::graph("Into Kafka", "mps", "Messages a second that Kafka has taken.").query(
                "{{pipeline}} {{topic}}",
                "sum by (namespace, pipeline, topic) (rate(pricepipe_produced_messages_total{$worker, \
                    outcome=\"delivered\"}[$rate]))",
            ),
            Panel::graph(
                "Into the store",
                "wps",
                "Documents a second, by what the store did with them: new, there already, or refused.",
            )
            .stacked()
            .query("{{outcome}}", "sum by (outcome) (rate(pricepipe_sink_documents_total{$worker}[$rate]))"),
            Panel::graph(
                "Duplicates",
                "wps",
                "Documents a second that were there already. Normal after a restart and with two \
                    producers; they are stored once.",
            )
            .query(
                "{{namespace}}/{{pipeline}}",
                "sum by (namespace, pipeline) (rate(pricepipe_sink_documents_total{$worker, \
                    outcome=\"duplicate\"}[$rate]))",
            ),
            Panel::graph("Lag by topic", "short", "Messages that are not stored yet. No line: not known.")
                .query(
                    "{{pipeline}} {{topic}}",
                    "sum by (namespace, pipeline, topic) (pricepipe_consumer_lag_messages{$worker})",
                ),
            Panel::graph("Lag", "short", "Messages that are not stored yet, of all topics.").query(
                "{{namespace}}/{{pipeline}}",
                "sum by (namespace, pipeline) (pricepipe_consumer_lag_messages{$worker})",
            ),
            Panel::graph(
                "Dead letters",
                "short",
                "Messages that could not be stored, by reason, since the consumers started.",
            )
            .query(
                "{{reason}}",
                or_none("sum by (reason) (pricepipe_dead_letters_total{$worker})", "reason"),
            ),
        ],
    )
}

fn exchange() -> Row {
    row(
        "Exchange",
        [
            Panel::graph("Requests", "reqps", "Requests a second, by how they ended.").stacked().query(
                "{{outcome}}",
                "sum by (outcome) (rate(pricepipe_source_requests_total{$worker}[$rate]))",
            ),
            quantiles(
                Panel::graph("Time to an answer", "s", "From a request to the end of its answer."),
                "pricepipe_source_request_duration_seconds",
            ),
            Panel::graph(
                "Used weight",
                "short",
                "Request weight used in the present minute. Binance allows an address 6,000.",
            )
            .query(
                "{{namespace}}/{{pipeline}} {{exchange}}",
                "max by (namespace, pipeline, exchange) (pricepipe_source_used_weight{$worker})",
            )
            .thresholds(&[(6_000.0, "red")]),
            Panel::graph(
                "Skipped slots",
                "cps",
                "Poll slots a second that brought no price or not all of them, by reason.",
            )
            .sized(12, 8)
            .query(
                "{{reason}}",
                or_none(
                    "sum by (reason) (rate(pricepipe_source_slots_skipped_total{$worker}[$rate]))",
                    "reason",
                ),
            ),
            Panel::graph(
                "Rejected prices",
                "short",
                "Prices that were asked for and could not be used, by reason, since the producers started.",
            )
            .sized(12, 8)
            .query(
                "{{reason}}",
                or_none("sum by (reason) (pricepipe_source_rejected_prices_total{$worker})", "reason"),
            ),
        ],
    )
}

fn servers() -> Row {
    row(
        "Kafka, store and controller",
        [
            Panel::states(
                "Breakers",
                BREAKER,
                "Servers and hosts. One that keeps failing is not asked for a while (open), then tried \
                    once (half-open).",
            )
            .query(
                "{{pipeline}} {{component}} {{target}}",
                "max by (namespace, pipeline, component, target) (pricepipe_breaker_state{$worker})",
            ),
            Panel::states(
                "Conditions",
                CONDITION,
                "The pipeline's conditions, as the controller finds them.",
            )
            .query(
                "{{name}} {{type}}",
                "max by (namespace, name, type) (pricepipe_pipeline_condition{$resource})",
            )
            .otherwise("no controller"),
            quantiles(
                Panel::graph(
                    "Time to Kafka's acknowledgement",
                    "s",
                    "From a message's acceptance until Kafka has it safe.",
                ),
                "pricepipe_produce_duration_seconds",
            ),
            quantiles(
                Panel::graph("Time of a write", "s", "Of one write to the store."),
                "pricepipe_sink_write_duration_seconds",
            ),
            quantiles(
                Panel::graph(
                    "Documents of a write",
                    "short",
                    "How many documents one write to the store has.",
                ),
                "pricepipe_sink_batch_documents",
            ),
        ],
    )
}
