//! (being written)
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let _ = (out, text);
    todo!()
}
pub fn elements(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let _ = json;
    std::iter::empty()
}
