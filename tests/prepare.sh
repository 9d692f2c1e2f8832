#!/bin/bash
# Sourced by first-job, tests/run and .ci/run: what building needs on a Debian machine, brought or
# asked for. Nothing is run here; each function says on standard error what it does.

rust_version=1.95 # rust-version in Cargo.toml; the test of the documents compares the two

# need_cargo: cargo of that version or newer, else exit code 1 and what to do. Nothing is
# downloaded: which Rust a machine has is its owner's business.
need_cargo() {
  if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" # rustup has been here, this shell has not heard of it
    export PATH
  fi
  local found
  if ! found=$(cargo --version 2>/dev/null); then
    echo "OpenBITS is built by cargo $rust_version or newer, and there is no cargo here." >&2
    echo "https://rustup.rs says how to get it." >&2
    exit 1
  fi
  found=${found#cargo } found=${found%%[ -]*}
  if [ "$(printf '%s\n' "$rust_version" "$found" | sort -V | head -n 1)" != "$rust_version" ]; then
    echo "OpenBITS is built by cargo $rust_version or newer; $(command -v cargo) is $found." >&2
    echo "With rustup: rustup update stable. Debian's own cargo is older." >&2
    exit 1
  fi
}

# need_compiler: a C compiler (two of our libraries have parts in C) and the certificates of the
# public authorities (https is checked against the system's).
need_compiler() {
  local wanted=()
  command -v cc >/dev/null || wanted+=(gcc libc6-dev)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || wanted+=(ca-certificates)
  [ "${#wanted[@]}" != 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "There is no C compiler, or no list of certificate authorities, and no apt-get to bring" >&2
    echo "them. On Debian they are the packages ${wanted[*]}." >&2
    exit 1
  fi
  if ! bring "${wanted[@]}"; then
    echo "They could not be installed; install them and try again." >&2
    exit 1
  fi
}

# need_kerberos: what bits-gss is built with, which signs in by Kerberos tickets: the headers of MIT's
# library, and libclang, which reads them. Sets "features", words for cargo; they are none where it
# cannot be had, and the rest is built all the same.
features=()
need_kerberos() {
  has_kerberos || { command -v apt-get >/dev/null && bring libkrb5-dev libclang-dev pkg-config; } || true
  if has_kerberos; then
    # shellcheck disable=SC2034 # for those who source this
    features=(--features bits-gss/gssapi)
  else
    echo "Built without bits-gss, so Kerberos tickets cannot be used: it needs the headers of MIT" >&2
    echo "Kerberos, libclang and pkg-config (Debian: libkrb5-dev libclang-dev pkg-config)." >&2
  fi
}
has_kerberos() {
  pkg-config --exists mit-krb5-gssapi 2>/dev/null || return 1
  [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null
}

# bring PACKAGE...: installs Debian packages.
bring() {
  echo "Installing the Debian packages $*" >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends \
      install "$@" >&2
}

# as_root COMMAND...: as root already, or with sudo, which may ask for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "This needs root, and there is no sudo here: $*" >&2
    return 1
  fi
}
