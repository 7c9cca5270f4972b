//! Standard output. A reader that goes away, such as `head`, is no fault.

use std::fmt::Display;
use std::io::Write;

/// Writes a line.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes text that ends its own lines.
pub fn text(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}
