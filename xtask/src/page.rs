//! Reading `web/index.html` the way Trunk does, as far as this page needs it.
//!
//! `<link data-trunk rel="...">` names what belongs to the page: the wasm crate, style sheets,
//! files and folders to copy. Kinds that this page does not use are refused rather than ignored,
//! so that the two ways of building it cannot drift apart silently.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What one `data-trunk` link asks for. Paths are relative to the HTML file.
#[derive(Debug, PartialEq, Eq)]
pub enum Asset {
    /// The manifest of the crate to build for the browser.
    Rust {
        /// Its Cargo.toml.
        manifest: PathBuf,
    },
    /// A style sheet that goes to the root of the page.
    Css {
        /// The file.
        file: PathBuf,
    },
    /// A file to copy under its own name.
    CopyFile {
        /// The file.
        file: PathBuf,
        /// The folder in the page that gets it.
        into: PathBuf,
    },
    /// The contents of a folder to copy.
    CopyDir {
        /// The folder.
        folder: PathBuf,
        /// The folder in the page that gets them; without `data-target-path` one of the same name.
        into: PathBuf,
    },
}

/// The page without Trunk's links, and what they asked for.
#[derive(Debug)]
pub struct Page {
    /// The HTML to serve.
    pub html: String,
    /// The assets in the order of the file.
    pub assets: Vec<Asset>,
}

/// Reads the page.
///
/// # Errors
/// For a kind of link that is not known here, a link without `href`, a path that leaves its
/// folder, an unclosed tag or comment, and for an inline script or event handler, which the
/// Content-Security-Policy of the worker would block.
pub fn read(source: &str) -> Result<Page> {
    let mut html = String::with_capacity(source.len());
    let mut assets = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('<') {
        html.push_str(&rest[..start]);
        rest = &rest[start..];
        if rest.starts_with("<!--") {
            let end = rest.find("-->").context("a comment is not closed")? + 3;
            html.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let end = end_of_tag(rest)?;
        let tag = &rest[..end];
        rest = &rest[end..];
        let (name, attributes) = parts(tag)?;
        refuse_inline_code(&name, &attributes, rest)?;
        if name == "link" && get(&attributes, "data-trunk").is_some() {
            let asset = asset(&attributes).with_context(|| format!("in `{tag}`"))?;
            if let Asset::Css { file } = &asset {
                let file = file.file_name().context("a style sheet without a name")?;
                let file = file.to_string_lossy();
                html.push_str(&format!("<link rel=\"stylesheet\" href=\"{file}\">"));
            }
            assets.push(asset);
        } else {
            html.push_str(tag);
        }
    }
    html.push_str(rest);
    Ok(Page { html, assets })
}

type Attributes = Vec<(String, String)>;

fn get<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// The position after the `>` that closes the tag, quotes respected.
fn end_of_tag(text: &str) -> Result<usize> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Ok(index + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    let line: String = text.chars().take(60).collect();
    bail!("a tag is not closed: `{line}`")
}

/// Name in lower case and attributes of one tag.
fn parts(tag: &str) -> Result<(String, Attributes)> {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    let inner = inner.trim_end_matches('/');
    let (name, mut rest) = match inner.find(char::is_whitespace) {
        Some(end) => inner.split_at(end),
        None => (inner, ""),
    };
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((name.to_ascii_lowercase(), attributes));
        }
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (text, remaining) = match quote {
                Some(quote) => after[1..]
                    .split_once(quote)
                    .with_context(|| format!("attribute {key} is not closed"))?,
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            value = text.to_owned();
            rest = remaining;
        } else if key.is_empty() {
            bail!("cannot read the attributes of `{tag}`");
        }
        attributes.push((key, value));
    }
}

fn refuse_inline_code(name: &str, attributes: &Attributes, after: &str) -> Result<()> {
    if name == "script" && get(attributes, "src").is_none() {
        let start: String = after.trim_start().chars().take(40).collect();
        bail!("inline script `{start}`: the page's policy blocks it; move it to a file");
    }
    if name == "style" || get(attributes, "style").is_some() {
        bail!("inline style in <{name}>: the page's policy blocks it; move it to the style sheet");
    }
    if let Some((key, _)) = attributes.iter().find(|(key, _)| key.starts_with("on")) {
        bail!("event handler {key} in <{name}>: the page's policy blocks it; listen from a module");
    }
    Ok(())
}

fn asset(attributes: &Attributes) -> Result<Asset> {
    let href = || inside(get(attributes, "href").context("href is missing")?);
    let target = || get(attributes, "data-target-path").map(inside).transpose();
    match get(attributes, "rel") {
        Some("rust") => Ok(Asset::Rust { manifest: href()? }),
        Some("css") => Ok(Asset::Css { file: href()? }),
        Some("copy-file") => Ok(Asset::CopyFile {
            file: href()?,
            into: target()?.unwrap_or_default(),
        }),
        Some("copy-dir") => {
            let folder = href()?;
            let own_name = folder.file_name().map(PathBuf::from).unwrap_or_default();
            Ok(Asset::CopyDir {
                into: target()?.unwrap_or(own_name),
                folder,
            })
        }
        other => bail!(
            "rel={other:?} is not supported here; use rust, css, copy-file or copy-dir, or teach \
             xtask/src/page.rs the new kind"
        ),
    }
}

/// A relative path that stays below its folder, `.` components removed.
fn inside(path: &str) -> Result<PathBuf> {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => bail!("the path {path} leaves its folder"),
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_assets_and_leave_the_page() {
        let page = read(
            r#"<!doctype html><head>
<!-- <link data-trunk rel="sass" href="x"> -->
<link data-trunk rel="rust" href="Cargo.toml" data-bindgen-target='web'/>
<LINK data-trunk rel=css href="./app.css">
<link data-trunk rel="copy-dir" href="static" data-target-path="." >
<link data-trunk rel="copy-dir" href="img">
<link rel="icon" href="icon.svg" title="a > b">
<script type="module" src="/app.js"></script></head>"#,
        )
        .unwrap();
        assert_eq!(
            page.assets,
            [
                Asset::Rust {
                    manifest: "Cargo.toml".into()
                },
                Asset::Css {
                    file: "app.css".into()
                },
                Asset::CopyDir {
                    folder: "static".into(),
                    into: "".into()
                },
                Asset::CopyDir {
                    folder: "img".into(),
                    into: "img".into()
                },
            ]
        );
        assert!(
            page.html
                .contains(r#"<link rel="stylesheet" href="app.css">"#)
        );
        assert!(page.html.contains(r#"title="a > b">"#));
        assert_eq!(
            page.html.matches("data-trunk").count(),
            1,
            "only the comment"
        );
        assert!(page.html.ends_with("</script></head>"));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (html, word) in [
            (r#"<link data-trunk rel="sass" href="a.scss">"#, "sass"),
            (r#"<link data-trunk rel="css">"#, "href"),
            (r#"<link data-trunk rel="css" href="../a.css">"#, "leaves"),
            ("<script>go()</script>", "inline script"),
            ("<p style='color:red'>", "inline style"),
            (r#"<button onclick="go()">"#, "onclick"),
            ("<p title=\"never closed>", "not closed"),
            ("<!-- never closed", "not closed"),
        ] {
            let error = format!("{:#}", read(html).unwrap_err());
            assert!(error.contains(word), "{html}: {error}");
        }
    }
}
