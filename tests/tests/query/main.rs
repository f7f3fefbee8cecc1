//! `pricepipe query` on prices that are known: what it writes, and whether its figures are right.

mod pages;
mod reference;
