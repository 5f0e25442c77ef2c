//! The code tables of a customer (existing-systems.md section 1.2), value for value.

use crate::code_table;

code_table! {
    /// Where a lead came from 线索来源.
    LeadSource {
        /// 美团
        Meituan = "美团",
        /// 抖音
        Douyin = "抖音",
        /// 快手
        Kuaishou = "快手",
        /// 小红书
        Xiaohongshu = "小红书",
        /// 转介绍
        Referral = "转介绍",
        /// 99保姆网
        Baomu99 = "99保姆网",
        /// 杭州同馨
        Tongxin = "杭州同馨",
        /// 握个手平台
        Wogeshou = "握个手平台",
        /// 线索购买
        Purchased = "线索购买",
        /// 莲心
        Lianxin = "莲心",
        /// 美家
        Meijia = "美家",
        /// 天机鹿
        Tianjilu = "天机鹿",
        /// 孕妈联盟
        Yunma = "孕妈联盟",
        /// 高阁
        Gaoge = "高阁",
        /// 星星
        Xingxing = "星星",
        /// 妈妈网
        Mama = "妈妈网",
        /// 犀牛
        Xiniu = "犀牛",
        /// 宝宝树
        Baobaoshu = "宝宝树",
        /// 幼亲舒
        Youqinshu = "幼亲舒",
        /// 熊猫
        Xiongmao = "熊猫",
        /// 官网
        Website = "官网",
        /// 其他
        Other = "其他",
    }
}

code_table! {
    /// What is asked for 服务类别.
    ServiceCategory {
        /// 月嫂
        MaternityNurse = "月嫂",
        /// 住家育儿嫂
        LiveInNanny = "住家育儿嫂",
        /// 保洁
        Cleaning = "保洁",
        /// 住家保姆
        LiveInHousekeeper = "住家保姆",
        /// 养宠
        PetCare = "养宠",
        /// 小时工
        Hourly = "小时工",
        /// 白班育儿
        DayNanny = "白班育儿",
        /// 白班保姆
        DayHousekeeper = "白班保姆",
        /// 住家护老
        ElderCare = "住家护老",
        /// 家教
        Tutor = "家教",
        /// 陪伴师
        Companion = "陪伴师",
    }
}

code_table! {
    /// How far the contract is 客户状态.
    ContractStatus {
        /// 已签约
        Signed = "已签约",
        /// 签约中
        Signing = "签约中",
        /// 匹配中
        Matching = "匹配中",
        /// 已面试
        Interviewed = "已面试",
        /// 流失客户
        Lost = "流失客户",
        /// 已退款
        Refunded = "已退款",
        /// 退款中
        Refunding = "退款中",
        /// 待定
        Pending = "待定",
    }
}

code_table! {
    /// How promising the lead is 线索等级; O is a signed customer.
    LeadLevel {
        /// O类
        O = "O类",
        /// A类
        A = "A类",
        /// B类
        B = "B类",
        /// C类
        C = "C类",
        /// D类
        D = "D类",
        /// 流失
        Lost = "流失",
    }
}

code_table! {
    /// Days off 休息制度.
    RestSchedule {
        /// 单休
        One = "单休",
        /// 双休
        Two = "双休",
        /// 无休
        None = "无休",
        /// 调休
        Shifted = "调休",
        /// 待定
        Pending = "待定",
    }
}

code_table! {
    /// Education asked for 学历要求.
    Education {
        /// 无学历
        Unschooled = "无学历",
        /// 小学
        Primary = "小学",
        /// 初中
        Junior = "初中",
        /// 中专
        Secondary = "中专",
        /// 职高
        Vocational = "职高",
        /// 高中
        Senior = "高中",
        /// 大专
        College = "大专",
        /// 本科
        Bachelor = "本科",
        /// 研究生及以上
        Graduate = "研究生及以上",
    }
}

code_table! {
    /// Where the owner stands with the lead 跟进状态: derived, never stored (existing-systems.md section 1.5).
    FollowUpStatus {
        /// New, and the owner has not followed up.
        NewUntouched = "新客未跟进",
        /// It came from another owner, and the new one has not followed up.
        TransferredUntouched = "流转未跟进",
        /// The owner has followed up.
        FollowedUp = "已跟进",
    }
}

code_table! {
    /// How somebody followed up 跟进方式.
    FollowUpKind {
        /// 电话
        Phone = "phone",
        /// 微信
        Wechat = "wechat",
        /// 到店
        Visit = "visit",
        /// 其他
        Other = "other",
    }
}

impl FollowUpKind {
    /// The Chinese word on screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Phone => "电话",
            Self::Wechat => "微信",
            Self::Visit => "到店",
            Self::Other => "其他",
        }
    }
}
