//! What the texts mean that people write about proxies.

use super::*;

fn name(text: &str) -> RemoteName {
    RemoteName::stored(text).expect("a URL")
}

fn overriding(list: &str, bypass: &str) -> ProxyUse {
    ProxyUse::Override { list: list.to_owned(), bypass: bypass.to_owned() }
}

fn environment(http: &str, https: &str, all: &str, none_for: &str) -> ProxyEnvironment {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ProxyEnvironment { http: some(http), https: some(https), all: some(all), none_for: some(none_for) }
}

fn rules(proxy: &ProxyUse, environment: &ProxyEnvironment) -> Result<ProxyRules, ProxyError> {
    ProxyRules::new(proxy, environment, &ProxyEnvironment::default())
}

fn shown(rules: &ProxyRules, url: &str) -> Vec<String> {
    let show = |proxy: &&ProxyAddress| {
        let protocol = if proxy.is_tls() { "https" } else { "http" };
        format!("{protocol}://{proxy}")
    };
    rules.proxies_for(&name(url)).iter().map(show).collect()
}

#[test]
fn a_list_of_proxies_says_which_are_tried_and_in_which_order() {
    for (list, for_http, for_https) in [
        ("p.test", &["http://p.test:80"][..], &["http://p.test:80"][..]),
        ("P.test:3128/", &["http://p.test:3128"], &["http://p.test:3128"]),
        (
            "a:1  b:2;c:3",
            &["http://a:1", "http://b:2", "http://c:3"],
            &["http://a:1", "http://b:2", "http://c:3"],
        ),
        ("https://p.test", &["https://p.test:443"], &["https://p.test:443"]),
        ("http=a:1 https=b:2", &["http://a:1"], &["http://b:2"]),
        ("HTTP=http://a:1 c:3", &["http://a:1", "http://c:3"], &["http://c:3"]),
        ("https=https://b:2", &[], &["https://b:2"]),
        ("ftp=f:21 http=a:1 socks=s:1080", &["http://a:1"], &[]),
        ("[::1]:8080", &["http://[::1]:8080"], &["http://[::1]:8080"]),
    ] {
        let rules = rules(&overriding(list, ""), &ProxyEnvironment::default()).expect(list);
        assert_eq!(shown(&rules, "http://h.test/"), for_http, "{list}");
        assert_eq!(shown(&rules, "https://h.test/"), for_https, "{list}");
    }
}

#[test]
fn a_list_that_cannot_be_understood_is_an_error_when_the_job_runs() {
    for (list, bypass, words) in [
        ("", "", "names none"),
        (" ; ", "", "names none"),
        ("socks5://p:1", "", "SOCKS"),
        ("gopher=p:1", "", "not known"),
        ("ftp://p:1", "", "protocol"),
        ("http=", "", "no address"),
        ("p:port", "", "no address"),
        ("p:99999", "", "no address"),
        ("p/path", "", "more in it"),
        ("http://alice:hunter2@p:1", "", "credentials"),
        ("alice:hunter2@p:1", "", "credentials"),
        ("p", "a*.test", "first label"),
        ("p", "10.*", "first label"),
        ("p", "*.*.test", "first label"),
        ("p", "http://h", "no name"),
        ("p", "<lokal>", "no name"),
    ] {
        let error = rules(&overriding(list, bypass), &ProxyEnvironment::default()).expect_err(list);
        let error = JobError::from(error);
        assert_eq!((error.code, error.transient), (Code::INVALID_PROXY_INFO, false), "{list} {bypass}");
        assert!(error.message.contains(words), "{}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
}

#[test]
fn a_host_of_the_bypass_list_is_reached_directly() {
    for (bypass, url, is_direct) in [
        ("h.test", "http://h.test/", true),
        ("H.TEST", "http://h.test/", true),
        ("h.test", "http://h.test.:8080/", true),
        ("h.test", "http://a.h.test/", false),
        ("*.h.test", "http://a.h.test/", true),
        ("*.h.test", "http://a.b.h.test/", true),
        ("*.h.test", "http://h.test/", false),
        ("*.h.test", "http://ah.test/", false),
        ("*", "https://h.test/", true),
        ("<local>", "http://intranet/", true),
        ("<LOCAL>", "http://h.test/", false),
        ("<local>", "http://[::1]/", false),
        ("a.test; <local> 10.0.0.1", "http://10.0.0.1/", true),
        ("10.0.0.1", "http://10.0.0.10/", false),
        ("[::1]", "http://[::1]/", true),
        ("::1", "http://[0:0::1]/", true),
    ] {
        let rules = rules(&overriding("p", bypass), &ProxyEnvironment::default()).expect(bypass);
        assert_eq!(rules.proxies_for(&name(url)).is_empty(), is_direct, "{bypass} {url}");
    }
}

#[test]
fn the_environment_reads_as_curl_reads_it() {
    for (http, https, all, url, expected) in [
        ("p:3128", "", "", "http://h.test/", Some("http://p:3128")),
        ("p:3128", "", "", "https://h.test/", None),
        ("", "http://s:1/", "", "https://h.test/", Some("http://s:1")),
        ("", "https://s:1", "", "https://h.test/", Some("https://s:1")),
        ("", "", "a:2", "http://h.test/", Some("http://a:2")),
        ("p:1", "", "a:2", "http://h.test/", Some("http://p:1")),
        ("p:1", "", "a:2", "https://h.test/", Some("http://a:2")),
        (" ", "", "", "http://h.test/", None),
    ] {
        let known = environment(http, https, all, "");
        let rules = rules(&ProxyUse::Preconfigured, &known).expect("sound variables");
        assert_eq!(shown(&rules, url).first().map(String::as_str), expected, "{known:?} {url}");
    }
    let error = rules(&ProxyUse::Preconfigured, &environment("socks5h://p", "", "", "")).expect_err("SOCKS");
    assert!(error.to_string().contains("http_proxy"), "{error}");
}

#[test]
fn no_proxy_reads_as_curl_reads_it() {
    for (none_for, url, is_direct) in [
        ("h.test", "http://h.test/", true),
        ("h.test", "http://a.h.test/", true),
        (".h.test", "http://h.test/", true),
        ("*.h.test", "http://a.h.test/", true),
        ("h.test", "http://ah.test/", false),
        ("a.test,h.test", "http://h.test/", true),
        ("a.test, h.test", "http://h.test./", true),
        ("a.test h.test", "http://h.test/", true),
        ("*", "http://h.test/", true),
        ("10.0.0.1", "http://10.0.0.1/", true),
        ("10.0.0.0/8", "http://10.200.3.4/", true),
        ("10.0.0.0/8", "http://11.0.0.1/", false),
        ("0.0.0.0/0", "http://11.0.0.1/", true),
        ("10.0.0.1/32", "http://10.0.0.2/", false),
        ("10.0.0.0/33", "http://10.0.0.0/", false),
        ("10.0.0.0/8", "http://h.test/", false),
        ("fd00::/8", "http://[fd12::1]/", true),
        ("::1", "http://[::1]/", true),
        ("grüße.test", "http://h.test/", false),
        ("<local>,,/", "http://local/", false),
        ("", "http://h.test/", false),
    ] {
        let known = environment("p:1", "", "", none_for);
        let rules = rules(&ProxyUse::Preconfigured, &known).expect("sound variables");
        assert_eq!(rules.proxies_for(&name(url)).is_empty(), is_direct, "{none_for} {url}");
    }
}

#[test]
fn the_settings_count_where_neither_job_nor_environment_names_a_proxy() {
    let settings = environment("", "", "s:1", "only.settings");
    for (proxy, known, expected) in [
        (ProxyUse::Preconfigured, environment("", "", "", ""), Some("http://s:1")),
        (ProxyUse::Preconfigured, environment("e:1", "", "", "h.test"), None),
        (ProxyUse::Preconfigured, environment("e:1", "", "", "only.settings"), Some("http://e:1")),
        (ProxyUse::Direct, environment("e:1", "", "", ""), None),
        (overriding("o:1", ""), environment("e:1", "", "", "h.test"), Some("http://o:1")),
    ] {
        let rules = ProxyRules::new(&proxy, &known, &settings).expect("sound");
        assert_eq!(shown(&rules, "http://h.test/").first().map(String::as_str), expected, "{proxy:?}");
    }
}

#[test]
fn detection_has_its_own_number() {
    let error = rules(&ProxyUse::Autodetect, &ProxyEnvironment::default()).expect_err("no detection");
    let error = JobError::from(error);
    assert_eq!((error.code, error.transient), (Code(0x8007_2F94), false));
    assert_eq!(error.context, ErrorContext::GeneralTransport);
}
