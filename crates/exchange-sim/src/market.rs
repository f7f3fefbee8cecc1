//! The symbols that are listed and the price path of each. No I/O; elapsed time is an argument.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pricepipe_core::Symbol;

use crate::{
    config::{Pace, Playback, SimConfig},
    error::SimError,
    path::PricePath,
};

/// The most symbols that are listed because somebody asked for them.
const MAX_INVENTED: usize = 10_000;

/// What is listed, in order, and what it costs.
#[derive(Debug)]
pub(crate) struct Market {
    order: Vec<Symbol>,
    paths: HashMap<Symbol, (Arc<str>, PricePath)>,
    seed: u64,
    pace: Pace,
    may_invent: usize,
}

impl Market {
    pub(crate) fn new(config: &SimConfig) -> Result<Self, SimError> {
        check_pace("the random walk", config.pace)?;
        let mut market = Market {
            order: Vec::new(),
            paths: HashMap::new(),
            seed: config.seed,
            pace: config.pace,
            may_invent: if config.any_symbol { MAX_INVENTED } else { 0 },
        };
        for symbol in &config.symbols {
            market.list(symbol, PricePath::walk(config.seed, symbol, config.pace))?;
        }
        market.replace_walks(&config.playbacks)?;
        Ok(market)
    }

    fn replace_walks(&mut self, playbacks: &[Playback]) -> Result<(), SimError> {
        let mut played: Vec<&Symbol> = Vec::new();
        for playback in playbacks {
            let symbol = &playback.symbol;
            check_pace(symbol.as_str(), playback.pace)?;
            if played.contains(&symbol) {
                return Err(SimError::DuplicateSymbol { symbol: symbol.clone() });
            }
            played.push(symbol);
            let path = PricePath::playback(playback);
            match self.paths.get_mut(symbol) {
                Some((_, walk)) => *walk = path,
                None => self.list(symbol, path)?,
            }
        }
        Ok(())
    }

    fn list(&mut self, symbol: &Symbol, path: PricePath) -> Result<(), SimError> {
        if self.paths.insert(symbol.clone(), (symbol.as_str().into(), path)).is_some() {
            return Err(SimError::DuplicateSymbol { symbol: symbol.clone() });
        }
        self.order.push(symbol.clone());
        Ok(())
    }

    /// Everything that is listed.
    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.order
    }

    /// True when the symbol is listed, if need be from now on.
    pub(crate) fn lists(&mut self, symbol: &Symbol) -> bool {
        if self.paths.contains_key(symbol) {
            return true;
        }
        if self.may_invent == 0 {
            return false;
        }
        self.may_invent -= 1;
        self.list(symbol, PricePath::walk(self.seed, symbol, self.pace)).is_ok()
    }

    /// The symbol and the price to serve now. To call it is to serve it.
    pub(crate) fn next(&mut self, symbol: &Symbol, elapsed: Duration) -> Option<(Arc<str>, Arc<str>)> {
        let (name, path) = self.paths.get_mut(symbol)?;
        Some((name.clone(), path.next(elapsed)))
    }

    /// How many rows of a recording that is played per request have not been served yet.
    pub(crate) fn remaining(&self, symbol: &Symbol) -> Option<usize> {
        self.paths.get(symbol)?.1.remaining()
    }
}

fn check_pace(what: &str, pace: Pace) -> Result<(), SimError> {
    let fault = match pace {
        Pace::Speed(factor) if !(factor.is_finite() && factor > 0.0) => factor.to_string(),
        Pace::Tick(tick) if tick.is_zero() => format!("{tick:?}"),
        _ => return Ok(()),
    };
    Err(SimError::Pace { what: what.to_owned(), value: fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap()
    }

    fn playback(name: &str, pace: Pace) -> Playback {
        let text = "id,time_ms,price,quantity,side\n1,5,0.00141342,1,buy\n";
        let recording = Recording::from_reader("test", text.as_bytes()).unwrap();
        Playback { pace, ..Playback::per_request(symbol(name), recording) }
    }

    #[test]
    fn a_playback_replaces_the_walk_of_its_symbol_or_lists_it() {
        let playbacks = vec![playback("XRPETH", Pace::PerRequest), playback("NEWETH", Pace::PerRequest)];
        let config = SimConfig { playbacks, ..SimConfig::default() };
        let mut market = Market::new(&config).unwrap();
        for name in ["XRPETH", "NEWETH"] {
            let (_, price) = market.next(&symbol(name), Duration::ZERO).unwrap();
            assert_eq!((&*price, market.remaining(&symbol(name))), ("0.00141342", Some(0)));
        }
        assert_eq!(market.symbols().len(), config.symbols.len() + 1);
        assert_eq!(market.remaining(&symbol("BTCUSDT")), None);
    }

    #[test]
    fn an_unknown_symbol_is_listed_only_when_any_symbol_is() {
        let mut strict = Market::new(&SimConfig::default()).unwrap();
        assert!(!strict.lists(&symbol("FOOBAR")) && strict.lists(&symbol("BTCUSDT")));
        let mut open = Market::new(&SimConfig { any_symbol: true, ..SimConfig::default() }).unwrap();
        assert!(open.lists(&symbol("FOOBAR")) && open.next(&symbol("FOOBAR"), Duration::ZERO).is_some());
        for n in 0..2 * MAX_INVENTED {
            open.lists(&symbol(&format!("X{n}")));
        }
        assert_eq!(open.symbols().len(), SimConfig::default().symbols.len() + MAX_INVENTED);
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_the_remedy() {
        let twice = SimConfig { symbols: vec![symbol("A"), symbol("A")], ..SimConfig::default() };
        let idle = SimConfig { pace: Pace::Tick(Duration::ZERO), ..SimConfig::default() };
        let playbacks = vec![playback("XRPETH", Pace::Speed(-1.0))];
        let backwards = SimConfig { playbacks, ..SimConfig::default() };
        for (config, message) in [
            (twice, "symbol A is listed twice; list it once"),
            (idle, "the pace of the random walk is 0ns; use a number above 0"),
            (backwards, "the pace of XRPETH is -1; use a number above 0"),
        ] {
            assert_eq!(Market::new(&config).unwrap_err().to_string(), message);
        }
    }
}
