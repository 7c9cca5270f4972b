//! Paths of files in a folder that was chosen, as browsers and terminals give them.

/// A path with slashes, without a dot for the folder itself.
pub(super) fn plain(path: &str) -> String {
    let path = path.replace('\\', "/");
    path.trim_start_matches("./").to_owned()
}

/// The folder in which all of some plain paths lie.
pub(super) fn shared<'a>(paths: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let mut folders = paths.map(|path| path.split_once('/').map(|(folder, _)| folder));
    let first = folders.next()??;
    folders.all(|folder| folder == Some(first)).then_some(first)
}

/// A plain path without the folder that holds all of them.
pub(super) fn inside<'a>(path: &'a str, shared: Option<&str>) -> &'a str {
    match shared {
        Some(_) => path.split_once('/').map_or(path, |(_, inside)| inside),
        None => path,
    }
}
