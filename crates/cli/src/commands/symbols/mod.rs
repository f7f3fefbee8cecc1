//! `pricepipe symbols`: what an exchange has. Asks the exchange, changes nothing.

pub(crate) mod args;

use std::{
    io::{self, stdout},
    time::Duration,
};

use pricepipe_exchange_sim::{SimConfig, start};
use pricepipe_producer::{Listing, ProducerError};

use self::args::SymbolsArgs;
use crate::{
    exit::{Exit, Failed},
    output,
    rows::{Cell, Column, Output, Printer, column, detail},
};

const COLUMNS: &[Column] = &[
    detail("exchange"),
    column("symbol", "SYMBOL"),
    column("market", "OWN FORM"),
    detail("aliases"),
    column("state", "STATE"),
];
/// How long the exchange may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints a row for each symbol.
pub(crate) async fn symbols(args: &SymbolsArgs) -> Result<(), Failed> {
    let simulated = match args.simulate {
        true => Some(start(SimConfig::for_demo()).await.map_err(|e| Failed::because(Exit::Failure, &e))?),
        false => None,
    };
    let endpoints: Vec<String> =
        simulated.iter().map(|exchange| exchange.url()).chain(args.endpoints.iter().cloned()).collect();
    let listings = pricepipe_producer::listings(args.exchange, &endpoints, PATIENCE).await;
    drop(simulated);
    let mut listings = listings.map_err(|error| failed(&error))?;
    listings.retain(|listing| args.search.as_deref().is_none_or(|text| is_named(listing, text)));
    output::written(write(&listings, args))?;
    if listings.is_empty() {
        let named =
            args.search.as_ref().map(|text| format!(" with {text:?} in its name")).unwrap_or_default();
        return Err(Failed::new(Exit::NotFound, format!("{} has no symbol{named}", args.exchange)));
    }
    if args.output == Output::Table {
        output::note(format!("{} symbols", listings.len()));
    }
    Ok(())
}

fn failed(error: &ProducerError) -> Failed {
    let exit = match error {
        ProducerError::NoListings { .. } => Exit::Unreachable,
        ProducerError::Endpoint { .. } => Exit::Usage,
        _ => Exit::Failure,
    };
    Failed::because(exit, error)
}

/// Whether one of its names holds the text, whatever stands between base and quote.
fn is_named(listing: &Listing, text: &str) -> bool {
    let letters =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_uppercase();
    let text = letters(text);
    listing.names().any(|name| letters(name).contains(&text))
}

fn write(listings: &[Listing], args: &SymbolsArgs) -> io::Result<()> {
    let mut printer = Printer::new(stdout(), args.output, COLUMNS);
    for listing in listings {
        printer.row(vec![
            Cell::text(args.exchange),
            Cell::text(&listing.symbol),
            Cell::text(&listing.market),
            Cell::text(listing.aliases.join(" ")),
            Cell::text(if listing.trading { "trading" } else { "halted" }),
        ])?;
    }
    printer.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_found_by_any_of_its_names() {
        let listing = Listing {
            symbol: "BTC/USD".to_owned(),
            market: "BTC/USD".to_owned(),
            aliases: vec!["XBTUSD".to_owned(), "XXBTZUSD".to_owned()],
            trading: true,
        };
        for text in ["BTC", "btc", "BTC/USD", "btc-usd", "BTCUSD", "xbt", "XXBTZ", ""] {
            assert!(is_named(&listing, text), "{text}");
        }
        assert!(!is_named(&listing, "ETH"));
    }
}
