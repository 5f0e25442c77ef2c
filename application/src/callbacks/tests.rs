//! The shapes of wechat-apis.md section 7.2, and what is made of them.

mod effects_of;
mod member_numbers;
mod shapes;
