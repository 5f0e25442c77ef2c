//! Tells cargo to embed the migrations again when a file is added: `migrate!` alone notices edits only.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
