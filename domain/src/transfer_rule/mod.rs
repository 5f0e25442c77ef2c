//! The transfer rule 流转规则: which idle leads go from whom to whom, and when (transfer-and-recycle.md section 1).

pub mod plan;
