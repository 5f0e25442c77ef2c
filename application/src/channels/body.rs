//! Request bodies as types: serialised in the order of their fields, raw UTF-8, so that the same notice gives the same
//! bytes for ever (wechat-apis.md section 8.2); and read back where one must be marked as possibly repeated.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::marked;
use super::wechat_subscribe::FieldKind;

/// The text of a body. A body is made of texts and numbers only, which always can be written down.
pub(super) fn written<T: Serialize>(body: &T) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// The body with a change; as it is when it is not one of ours.
pub(super) fn rewritten<T>(body: &str, change: impl FnOnce(&mut T)) -> String
where
    T: Serialize + for<'de> Deserialize<'de>,
{
    match serde_json::from_str::<T>(body) {
        Ok(mut read) => {
            change(&mut read);
            written(&read)
        }
        Err(_) => body.to_owned(),
    }
}

/// The `data` of a template message: `{"thing1":{"value":"…"}}`, in the order of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

#[derive(Serialize, Deserialize)]
struct FieldValue {
    value: String,
}

impl Fields {
    /// Marks the first field that has room for words.
    pub(super) fn mark(&mut self) {
        let is_words = |key: &str| FieldKind::of_key(key) == Some(FieldKind::Thing);
        if let Some((_, value)) = self.0.iter_mut().find(|(key, _)| is_words(key)) {
            *value = FieldKind::Thing.cut(&marked(value));
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, &FieldValue { value: value.clone() })?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the fields of a template")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, FieldValue { value })) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_the_first_words_are_marked() {
        let text =
            r#"{"time4":{"value":"2026年3月2日 00:05"},"thing1":{"value":"张\"三"},"thing2":{"value":"x"}}"#;
        let marked = r#"{"time4":{"value":"2026年3月2日 00:05"},"thing1":{"value":"（可能重复）张\"三"},"thing2":{"value":"x"}}"#;
        assert_eq!(rewritten::<Fields>(text, |_| {}), text);
        assert_eq!(rewritten(text, Fields::mark), marked);
        assert_eq!(rewritten(marked, Fields::mark), marked);
        assert_eq!(rewritten("not a body", Fields::mark), "not a body");
    }

    #[test]
    fn a_marked_field_stays_within_its_rule() {
        let mut fields =
            Fields(vec![("thing1".to_owned(), "一二三四五六七八九十一二三四五六七八九十".to_owned())]);
        fields.mark();
        assert_eq!(fields.0[0].1, "（可能重复）一二三四五六七八九十一二三…");
        assert_eq!(fields.0[0].1.chars().count(), 20);
        let mut no_words = Fields(vec![("time1".to_owned(), "2026年3月2日".to_owned())]);
        no_words.mark();
        assert_eq!(no_words.0[0].1, "2026年3月2日");
    }
}
