//! Leads that stories create.

use serde_json::{Value, json};

use super::{Node, Person};

/// A mobile number; another one for every `n`.
pub fn phone(n: usize) -> String {
    format!("138{n:08}")
}

/// The body that creates a lead with this name and phone.
pub fn lead(name: &str, phone: &str) -> Value {
    json!({
        "name": name, "phone": phone, "leadSource": "抖音", "contractStatus": "待定", "leadLevel": "A类",
        "serviceCategory": "月嫂", "address": "杭州市西湖区文三路一号", "remarks": "晚上联系",
    })
}

impl Node {
    /// Creates a lead that belongs to its creator; its id.
    pub async fn own_lead(&self, creator: &Person, n: usize) -> String {
        self.new_lead(creator, &lead(&format!("客户{n}"), &phone(n))).await
    }

    /// Creates a lead for somebody; its id.
    pub async fn lead_of(&self, creator: &Person, owner: &Person, n: usize) -> String {
        let mut body = lead(&format!("客户{n}"), &phone(n));
        body["assignedTo"] = json!(owner.id);
        self.new_lead(creator, &body).await
    }

    async fn new_lead(&self, creator: &Person, body: &Value) -> String {
        let reply = self.post("/api/customers", body).by(creator).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.id()
    }

    /// Asks to give a lead to somebody; the reply may be a refusal.
    pub fn assign(&self, lead: &str, to: &Person) -> super::Call<'_> {
        self.patch(&format!("/api/customers/{lead}/assign"), &json!({ "assignedTo": to.id }))
    }
}
