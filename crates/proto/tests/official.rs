//! Our definitions against Fabric's own, as the Go module `fabric-protos-go-apiv2` publishes them.
//! Needs Go; the module is pinned in `official/go.sum`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};

/// Every definition by its full name, each as the set of statements that must hold for it.
type Definitions = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_message_field_enum_and_service_is_as_fabric_publishes_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = definitions(&ours(&folder.join("../../proto")));
    let official = definitions(&official(&folder.join("tests/official")));
    assert!(ours.len() > 150, "only {} definitions of ours were found", ours.len());

    let mut faults = Vec::new();
    for (name, statements) in &ours {
        match official.get(name) {
            None => faults.push(format!("{name} is not one of Fabric's")),
            Some(expected) => {
                faults.extend(
                    statements.difference(expected).map(|one| format!("{name}: we have {one}, Fabric does not")),
                );
                faults
                    .extend(expected.difference(statements).map(|one| format!("{name}: Fabric has {one}, we do not")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn ours(folder: &Path) -> FileDescriptorSet {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("proto/").map(|entry| entry.expect("an entry").path()).collect();
    // Fabric has nothing of what we added.
    files.retain(|file| !file.ends_with("windlass.proto"));
    files.sort();
    protox::compile(files, [folder]).expect("proto/*.proto compile")
}

fn official(folder: &Path) -> FileDescriptorSet {
    let output = Command::new("go").args(["run", "."]).current_dir(folder).output().expect("Go is installed");
    assert!(output.status.success(), "go run failed: {}", String::from_utf8_lossy(&output.stderr));
    FileDescriptorSet::decode(output.stdout.as_slice()).expect("a descriptor set")
}

fn definitions(set: &FileDescriptorSet) -> Definitions {
    let mut found = Definitions::new();
    for file in set.file.iter().filter(|file| !file.package().starts_with("google.")) {
        for message in &file.message_type {
            add_message(&mut found, file.package(), message);
        }
        for enumeration in &file.enum_type {
            add_enum(&mut found, file.package(), enumeration);
        }
        for service in &file.service {
            add_service(&mut found, file.package(), service);
        }
    }
    found
}

fn add_message(found: &mut Definitions, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    let fields = message.field.iter().map(|field| statement(message, field)).collect();
    found.insert(name.clone(), fields);
    for nested in &message.nested_type {
        add_message(found, &name, nested);
    }
    for enumeration in &message.enum_type {
        add_enum(found, &name, enumeration);
    }
}

fn statement(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        scalar => format!("{scalar:?}"),
    };
    let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
    let oneof = field.oneof_index.map_or("", |index| message.oneof_decl[index as usize].name());
    format!("field {} {repeated}{kind} {} (oneof '{oneof}')", field.number(), field.name())
}

fn add_enum(found: &mut Definitions, scope: &str, enumeration: &EnumDescriptorProto) {
    let values = enumeration.value.iter().map(|value| format!("value {} = {}", value.name(), value.number())).collect();
    found.insert(format!("{scope}.{}", enumeration.name()), values);
}

fn add_service(found: &mut Definitions, scope: &str, service: &ServiceDescriptorProto) {
    let methods = service
        .method
        .iter()
        .map(|method| {
            format!(
                "rpc {}({}{}) returns ({}{})",
                method.name(),
                if method.client_streaming() { "stream " } else { "" },
                method.input_type(),
                if method.server_streaming() { "stream " } else { "" },
                method.output_type(),
            )
        })
        .collect();
    found.insert(format!("{scope}.{}", service.name()), methods);
}
