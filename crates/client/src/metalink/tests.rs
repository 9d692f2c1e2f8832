//! What is read of Metalink files, and what is refused.

use super::*;

const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn document(inside: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metalink xmlns=\"{NAMESPACE}\">{inside}</metalink>")
}

/// A file with this in it.
fn file(name: &str, inside: &str) -> String {
    document(&format!("<file name=\"{name}\">{inside}</file>"))
}

#[track_caller]
fn one(text: &str) -> MetalinkFile {
    let files = parse(text.as_bytes()).expect("a Metalink file");
    let [file] = &files[..] else { panic!("one file: {files:?}") };
    file.clone()
}

fn urls(file: &MetalinkFile) -> Vec<&str> {
    file.urls.iter().map(RemoteName::as_str).collect()
}

#[test]
fn a_file_comes_with_its_size_its_best_checksum_and_its_places_in_their_order() {
    let sha512 = "a".repeat(128);
    let found = one(&format!(
        "\u{feff}<?xml version=\"1.0\"?>
        <!-- made by hand -->
        <m:metalink xmlns:m=\"{NAMESPACE}\" xmlns:o=\"urn:other\">
          <m:generator>hand &amp; eye</m:generator>
          <m:file name=\"folder/a &amp; b.iso\">
            <m:identity>x</m:identity>
            <m:size> 14471447 </m:size>
            <m:hash type=\"md5\">{}</m:hash>
            <m:hash type=\"sha-512\">{sha512}</m:hash>
            <m:hash type=\"sha-256\">{SHA256}</m:hash>
            <m:hash type=\"sha-1\">80bc95fd391772fa61c91ed68567f0980bb45fd9</m:hash>
            <m:pieces length=\"262144\" type=\"sha-256\"><m:hash>{}</m:hash><m:size>7</m:size></m:pieces>
            <m:metaurl mediatype=\"torrent\">http://t.test/f.torrent</m:metaurl>
            <o:url priority=\"1\">http://other.test/f</o:url>
            <m:url location=\"de\" priority=\"2\">http://b.test/f?x=1&amp;y=&#50;</m:url>
            <m:url>http://last.test/f</m:url>
            <m:url priority=\"1\"><![CDATA[https://a.test/f]]></m:url>
            <m:url priority=\"1\">ftp://f.test/f</m:url>
            <m:url priority=\"1\">file:///etc/passwd</m:url>
            <m:url priority=\"1\">/etc/passwd</m:url>
            <m:url priority=\"1\">https://user:secret@u.test/f</m:url>
            <m:url priority=\"3\">http://last.test/f</m:url>
          </m:file>
        </m:metalink>",
        "b".repeat(32),
        "c".repeat(64),
    ));
    assert_eq!(found.name, "folder/a & b.iso");
    assert_eq!(found.size, Some(14_471_447));
    assert_eq!(found.checksum.as_ref().map(ToString::to_string), Some(format!("sha256:{SHA256}")));
    assert_eq!(urls(&found), ["https://a.test/f", "http://b.test/f?x=1&y=2", "http://last.test/f"]);
}

#[test]
fn a_name_never_leads_out_of_the_folder() {
    let url = "<url>http://h.test/f</url>";
    for name in [
        "..",
        "../f",
        "a/../f",
        "a/..",
        "/f",
        "a//f",
        "a/",
        ".",
        "./f",
        "",
        "a/./f",
        "a&#10;f",
        "a&#0;f",
        "&#x2e;&#46;/f",
    ] {
        let outcome = parse(file(name, url).as_bytes());
        assert!(
            matches!(outcome, Err(MetalinkFault::Name(_) | MetalinkFault::Xml(_))),
            "{name:?} {outcome:?}"
        );
    }
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    assert!(matches!(parse(file(&long, url).as_bytes()), Err(MetalinkFault::Name(_))));
    for name in ["f", "a/b/f", "...", "..f", "gr\u{fc}\u{df}e", "a\\b"] {
        assert_eq!(one(&file(name, url)).name, name);
    }
}

#[test]
fn what_is_no_metalink_file_is_refused_with_its_reason() {
    let url = "<url>http://h.test/f</url>";
    let many: String = (0..=METALINK_FILES_MAX).map(|n| format!("<file name=\"{n}\">{url}</file>")).collect();
    for (text, expected) in [
        (String::new(), MetalinkFault::NoMetalink),
        ("<html/>".to_owned(), MetalinkFault::NoMetalink),
        ("<metalink><file name=\"f\"/></metalink>".to_owned(), MetalinkFault::NoMetalink),
        (document(""), MetalinkFault::Empty),
        (document("<file/>"), MetalinkFault::NoName),
        (file("f", ""), MetalinkFault::NoPlace("f".to_owned())),
        (file("f", "<url>ftp://h.test/f</url>"), MetalinkFault::NoPlace("f".to_owned())),
        (
            document(&format!("<file name=\"f\">{url}</file><file name=\"f\">{url}</file>")),
            MetalinkFault::Twice("f".to_owned()),
        ),
        (
            file("f", &format!("<size>-1</size>{url}")),
            MetalinkFault::Size { name: "f".to_owned(), size: "-1".to_owned() },
        ),
        (
            file("f", &format!("<hash type=\"sha-256\">abc</hash>{url}")),
            MetalinkFault::Hash {
                name: "f".to_owned(),
                algorithm: "sha256",
                wrong: "has 3 hexadecimal digits; sha256 has 64".to_owned(),
            },
        ),
        (document(&many), MetalinkFault::TooManyFiles),
        ("x".repeat(METALINK_BYTES_MAX + 1), MetalinkFault::TooLong),
        (document(&"<a>".repeat(DEPTH_MAX)), MetalinkFault::TooDeep),
        (file("f", "<url>&other;</url>"), MetalinkFault::Entity("other".to_owned())),
        ("<!DOCTYPE metalink [<!ENTITY a \"b\">]><metalink/>".to_owned(), MetalinkFault::DocumentType),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(expected), "{}", &text[..text.len().min(200)]);
    }
    for text in
        ["<metalink", "<a></b>", &document("<file name=\"f\">")[..100], &format!("{}<a/>", document(""))]
    {
        let outcome = parse(text.as_bytes());
        let is_told = matches!(outcome, Err(MetalinkFault::Xml(_) | MetalinkFault::NoMetalink));
        assert!(is_told, "{text} {outcome:?}");
    }
    assert_eq!(parse(&[0xff, 0xfe, b'<', 0]), Err(MetalinkFault::NoText));
}

#[test]
fn no_more_places_are_taken_than_a_file_can_have() {
    let many: String =
        (0..500).map(|n| format!("<url priority=\"{}\">http://m{n}.test/f</url>", 500 - n)).collect();
    assert_eq!(one(&file("f", &many)).urls.len(), MIRRORS_MAX + 1);
}
