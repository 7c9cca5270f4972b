//! From the bytes of a CSV file to a [`Table`] with its problems, and from a table to a [`Dataset`]; from the bytes of
//! an image file to a [`Picture`], and from those of a list of files to their labels. A column of texts becomes features by
//! [`Table::with_vectors`], one of picture files by [`BaseModel`] and [`Table::with_pictures`]; text files become a table as
//! [`TextFiles`].
//!
//! Nothing is guessed: whatever cannot be used is reported with row and column, and it is the user who says
//! whether such rows are dropped or their gaps filled ([`MissingPolicy`]).

mod base_model;
mod column;
mod dataset;
mod folder;
mod labels;
mod number;
mod picture;
mod pictures;
mod read;
mod refusal;
mod table;
mod text;
mod text_files;
mod vectors;
mod write;

pub use base_model::{BaseModel, BaseModelAbout};
pub use column::{Column, ColumnKind, ColumnStats, Values};
pub use dataset::{Class, Dataset, MissingPolicy, Records, Selection, positive_class};
pub use labels::{is_picture, read_labels};
pub use picture::{MAX_PICTURE_BYTES, MAX_SIDE, Picture, read_cifar};
pub use pictures::{
    PictureSource, labels_of_folders, match_pictures, picture_list, read_picture_table,
};
pub use read::read_csv;
pub use refusal::Refusal;
pub use table::{Problem, ProblemKind, Severity, Table};
pub use text::TextSource;
pub use text_files::{MAX_TEXT_BYTES, TextFiles};
pub use write::write_csv;

/// Most feature columns that a table may have.
pub const MAX_FEATURES: usize = 500;
/// Most classes that a label column may have.
pub const MAX_CLASSES: usize = 16;
/// Problems kept in detail for each kind; all are counted.
pub const KEPT_PROBLEMS: usize = 100;
