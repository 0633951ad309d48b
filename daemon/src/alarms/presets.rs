//! Rules made from food-safety advice.

use std::time::Duration;

use larder_proto::pb::{self, alarm_condition};

use crate::pb_time::duration;

/// Advice as a rule.
struct Preset {
    name: &'static str,
    description: &'static str,
    source_title: &'static str,
    source_url: &'static str,
    celsius: f64,
    after: Duration,
}

const ALL: &[Preset] = &[
    Preset {
        name: "fridge-warm",
        description: "The fridge is above 5 °C for 2 h: what spoils easily is no longer safe after that time.",
        source_title: "US FDA, Refrigerator Thermometers: Cold Facts about Food Safety (40 °F, 2 hours); UK Food \
                       Standards Agency, Chilling (5 °C)",
        source_url: "https://www.fda.gov/food/buy-store-serve-safe-food/refrigerator-thermometers-cold-facts-about-food-safety",
        celsius: 5.0,
        after: Duration::from_hours(2),
    },
    Preset {
        name: "freezer-warm",
        description: "The freezer is above -15 °C for 1 h: frozen food is kept at -18 °C, and 3 °C more are tolerated \
                      for a short time only.",
        source_title: "Directive 89/108/EEC on quick-frozen foodstuffs: -18 °C, brief deviations of 3 °C at most",
        source_url: "https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=LEGISSUM:l21116",
        celsius: -15.0,
        after: Duration::from_hours(1),
    },
];

pub(super) fn all() -> Vec<pb::AlarmPreset> {
    ALL.iter()
        .map(|preset| pb::AlarmPreset {
            name: preset.name.to_owned(),
            description: preset.description.to_owned(),
            source_title: preset.source_title.to_owned(),
            source_url: preset.source_url.to_owned(),
            condition: Some(pb::AlarmCondition {
                condition: Some(alarm_condition::Condition::Above(alarm_condition::Threshold {
                    sensor_id: String::new(),
                    celsius: preset.celsius,
                    r#for: Some(duration(preset.after)),
                    hysteresis_celsius: None,
                })),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_names_its_source_and_makes_a_rule() {
        for preset in all() {
            assert_eq!(crate::named::complaint(&preset.name), None);
            assert!(preset.source_url.starts_with("https://") && !preset.source_title.is_empty());
            let mut condition = preset.condition.unwrap();
            let Some(alarm_condition::Condition::Above(above)) = &mut condition.condition else { panic!("no limit") };
            above.sensor_id = "fridge".to_owned();
            let rule = pb::AlarmRule { name: preset.name, condition: Some(condition), ..Default::default() };
            assert!(super::super::parse::tests::new(&rule).is_ok());
        }
    }
}
