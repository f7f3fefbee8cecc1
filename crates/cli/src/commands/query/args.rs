//! The command line of `pricepipe query`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand};
use pricepipe_core::{
    Exchange, KlineInterval, Timestamp,
    analytics::{Interval, Percent},
};
use pricepipe_store::{Market, Period, Selection};

use super::plot::args::PlotArgs;
use crate::{args::ReadArgs, period::PeriodArgs, rows::Output};

/// Shown by `pricepipe query --help`; a test runs each line.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe query latest -f examples/quickstart.yaml
  pricepipe query count -f examples/quickstart.yaml --output json
  pricepipe query stats -f examples/quickstart.yaml --since 24h --plot
  pricepipe query jumps -f examples/quickstart.yaml --percent 0.5 --within 1m
  pricepipe query moving-average -f examples/quickstart.yaml -s BTCUSDT -w 50
  pricepipe query volatility -f examples/quickstart.yaml --annualise -o csv
  pricepipe query candles -f examples/quickstart.yaml -i 5m --output ndjson
  pricepipe query candles -f examples/quickstart.yaml -i 1m --plot candles.svg";

/// As many prices as a query keeps in memory when it is asked for the newest.
const MOST: usize = 1_000_000;
/// How many prices a question with a row for each takes when nothing is said.
const FEW: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(subcommand)]
    pub question: Question,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// The newest price of each symbol and exchange, with its age
    #[command(
        after_long_help = "Examples:\n  pricepipe query latest -f examples/quickstart.yaml --symbol BTCUSDT\n  \
        pricepipe query latest -f examples/quickstart.yaml --exchange binance\n\n\
        The price of a candle is its close, that of a quote the middle between bid and ask. Each kind is\n\
        in a collection of its own."
    )]
    Latest {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// How many prices there are of each symbol and exchange, and from when to when
    #[command(
        after_long_help = "Examples:\n  pricepipe query count -f examples/quickstart.yaml --since 24h --output csv"
    )]
    Count {
        #[command(flatten)]
        common: CommonArgs,
        #[command(flatten)]
        period: PeriodArgs,
    },
    /// Number, minimum, maximum, average and standard deviation (of a sample) of each symbol's prices
    #[command(
        after_long_help = "Examples:\n  pricepipe query stats -f examples/quickstart.yaml --limit 1000\n  \
        pricepipe query stats -f examples/quickstart.yaml --plot prices.svg"
    )]
    Stats {
        #[command(flatten)]
        prices: PricesArgs,
        #[command(flatten)]
        plot: PlotArgs,
    },
    /// Moves of at least so many percent from one price to the next, or within a time
    #[command(
        after_long_help = "Examples:\n  pricepipe query jumps -f examples/quickstart.yaml --percent 1 --within 60s\n  \
        pricepipe query jumps -f examples/quickstart.yaml --percent 0.5 --plot jumps.png\n\n\
        A move within a time is told once; the search begins anew where it ended."
    )]
    Jumps {
        #[command(flatten)]
        prices: PricesArgs,
        #[command(flatten)]
        plot: PlotArgs,
        /// How far the price must move, in percent
        #[arg(long, value_name = "PERCENT", default_value = "1")]
        percent: Percent,
        /// Compare all prices that are no further apart than this, as in 60s, instead of neighbours
        #[arg(long, value_name = "TIME")]
        within: Option<Interval>,
    },
    /// The simple and the exponential moving average at each price
    #[command(
        after_long_help = "Examples:\n  pricepipe query moving-average -f examples/quickstart.yaml -w 50 -l 1000\n  \
        pricepipe query moving-average -f examples/quickstart.yaml --plot --since 1h\n\n\
        The exponential average begins as the first simple one and moves by 2 / (window + 1) of the difference.\n\
        Without --limit, --since and --until there is a row for each of the newest 100 prices."
    )]
    MovingAverage {
        #[command(flatten)]
        prices: PricesArgs,
        #[command(flatten)]
        plot: PlotArgs,
        /// Over how many prices
        #[arg(short, long, value_name = "PRICES", default_value_t = 20, value_parser = window::<1>)]
        window: usize,
    },
    /// The standard deviation of logarithmic returns over a window, at each price
    #[command(
        after_long_help = "Examples:\n  pricepipe query volatility -f examples/quickstart.yaml --annualise -l 1000\n  \
        pricepipe query volatility -f examples/quickstart.yaml -l 500 --plot risk.svg\n\n\
        A year has 365 days, and returns are as long as they are on average in the window.\n\
        The band that --plot draws around a price is price * exp(±2 * volatility): where the next price\n\
        is to be expected 19 times of 20 if returns go on like those of the window.\n\
        Without --limit, --since and --until there is a row for each of the newest 100 prices."
    )]
    Volatility {
        #[command(flatten)]
        prices: PricesArgs,
        #[command(flatten)]
        plot: PlotArgs,
        /// Over how many returns
        #[arg(short, long, value_name = "RETURNS", default_value_t = 20, value_parser = window::<2>)]
        window: usize,
        /// Tell it for a year, too
        #[arg(long)]
        annualise: bool,
    },
    /// The first, greatest, least and last price of each interval
    #[command(
        after_long_help = "Examples:\n  pricepipe query candles -f examples/quickstart.yaml --interval 1h --since 7d\n  \
        pricepipe query candles -f examples/quickstart.yaml --plot day.png --theme dark\n\n\
        Days begin at midnight and weeks on Monday, UTC. An interval without a price has no candle.\n\
        Of a symbol of which no prices are stored the candles are made of those that are."
    )]
    Candles {
        #[command(flatten)]
        prices: PricesArgs,
        #[command(flatten)]
        plot: PlotArgs,
        /// How long a candle is: a number with ms, s, m, h, d or w
        #[arg(short, long, value_name = "TIME", default_value = "1m")]
        interval: Interval,
    },
}

impl Question {
    /// What it is asked of prices, where it is.
    pub(crate) fn prices(&self) -> Option<&PricesArgs> {
        match self {
            Question::Latest { .. } | Question::Count { .. } => None,
            Question::Stats { prices, .. }
            | Question::Jumps { prices, .. }
            | Question::MovingAverage { prices, .. }
            | Question::Volatility { prices, .. }
            | Question::Candles { prices, .. } => Some(prices),
        }
    }

    /// The time that it is about.
    pub(crate) fn period(&self, now: Timestamp) -> Result<Period, String> {
        match self {
            Question::Latest { .. } => Ok(Period::default()),
            Question::Count { period, .. } => period.period(now),
            _ => self.prices().map_or(Ok(Period::default()), |prices| prices.period.period(now)),
        }
    }

    /// The arguments that every question has.
    pub(crate) fn common(&self) -> &CommonArgs {
        match self {
            Question::Latest { common } | Question::Count { common, .. } => common,
            Question::Stats { prices, .. }
            | Question::Jumps { prices, .. }
            | Question::MovingAverage { prices, .. }
            | Question::Volatility { prices, .. }
            | Question::Candles { prices, .. } => &prices.common,
        }
    }

    /// What is to be drawn of it, where it can be.
    pub(crate) fn plot(&self) -> Option<&PlotArgs> {
        match self {
            Question::Latest { .. } | Question::Count { .. } => None,
            Question::Stats { plot, .. }
            | Question::Jumps { plot, .. }
            | Question::MovingAverage { plot, .. }
            | Question::Volatility { plot, .. }
            | Question::Candles { plot, .. } => Some(plot),
        }
    }

    /// How many prices must precede one that has an answer.
    pub(crate) fn before(&self) -> usize {
        match self {
            Question::MovingAverage { window, .. } => window - 1,
            Question::Volatility { window, .. } => *window,
            _ => 0,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Only this symbol; may be given more than once
    #[arg(short, long = "symbol", value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Only what is of this exchange
    #[arg(long, value_name = "EXCHANGE")]
    pub exchange: Option<Exchange>,
    /// Read the candles of this interval that are stored, such as those of a backfill
    #[arg(long, value_name = "INTERVAL")]
    pub stored_candles: Option<KlineInterval>,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    #[command(flatten)]
    pub read: ReadArgs,
}

impl CommonArgs {
    /// Whether what is of an exchange is asked for.
    pub(crate) fn wants(&self, exchange: Exchange) -> bool {
        self.exchange.is_none_or(|wanted| wanted == exchange)
    }
}

#[derive(Debug, Args)]
pub(crate) struct PricesArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub period: PeriodArgs,
    /// Only the newest so many prices of each symbol, up to 1000000
    #[arg(short, long, value_name = "PRICES", value_parser = limit)]
    pub limit: Option<usize>,
}

impl PricesArgs {
    /// What is asked of a market.
    pub(crate) fn selection(&self, market: Market, Period { since, until }: Period) -> Selection {
        Selection { market, since, until, newest: self.limit }
    }

    /// The same of a question with a row for each price that `before` others precede.
    pub(crate) fn short_selection(&self, market: Market, period: Period, before: usize) -> Selection {
        let mut selection = self.selection(market, period);
        if period == Period::default() {
            selection.newest.get_or_insert(FEW + before);
        }
        selection
    }
}

fn limit(text: &str) -> Result<usize, String> {
    number(text, 1, MOST).ok_or_else(|| {
        format!("not a number from 1 to {MOST}; without a limit --since and --until choose the prices")
    })
}

fn window<const LEAST: usize>(text: &str) -> Result<usize, String> {
    number(text, LEAST, MOST).ok_or_else(|| format!("not a number from {LEAST} to {MOST}"))
}

fn number(text: &str, least: usize, most: usize) -> Option<usize> {
    text.parse::<NonZeroUsize>().ok().map(NonZeroUsize::get).filter(|n| (least..=most).contains(n))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_window_has_room_before_the_newest_prices() {
        let arguments = ["q", "-f", "x.yaml", "-s", "A"];
        let prices = Wrapped::parse_from(arguments).prices;
        let newest = |period| prices.short_selection(Market::of_any("A"), period, 149).newest;
        assert_eq!(newest(Period::default()), Some(249));
        assert_eq!(newest(Period { since: Some(Timestamp::MIN), until: None }), None);
    }

    #[derive(clap::Parser)]
    struct Wrapped {
        #[command(flatten)]
        prices: PricesArgs,
    }

    #[test]
    fn limits_and_windows_have_bounds() {
        assert_eq!((limit("1"), limit("1000000")), (Ok(1), Ok(1_000_000)));
        for text in ["0", "1000001", "-1", "many", ""] {
            assert!(limit(text).unwrap_err().contains("1000000"), "{text}");
        }
        assert!(window::<1>("1").is_ok() && window::<2>("1").is_err());
    }
}
