//! What the documents say must hold: commands that are quoted exist, figures are those of the committed results, and
//! the results come from this history.

mod baselines;
mod commands;
mod figures;
mod paths;
mod results;
mod text;
