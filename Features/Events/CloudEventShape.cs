using Bellhop.Infrastructure.Http;
using Microsoft.OpenApi;

namespace Bellhop.Features.Events;

/// <summary>What the document says of a CloudEvent: its own attributes, and extensions of text, truth values and 32-bit numbers.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class CloudEventShapeAttribute : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema)
    {
        schema.Type = JsonSchemaType.Object;
        schema.Required = new HashSet<string> { "specversion", "id", "source", "type" };
        schema.Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["specversion"] = new OpenApiSchema { Type = JsonSchemaType.String, Enum = ["1.0"] },
            ["id"] = Text("The sender's id; with the source it names the event."),
            ["source"] = Text("Where it happened."),
            ["type"] = Text("What happened, as dotted words."),
            ["subject"] = Optional("What it happened to.", EventDraft.MaxTextLength),
            ["time"] = new OpenApiSchema
            {
                Type = JsonSchemaType.String | JsonSchemaType.Null,
                Format = "date-time",
                MaxLength = Rfc3339.MaxLength,
                Description = "When it happened.",
            },
            ["datacontenttype"] = Optional("The media type of the data.", EventDraft.MaxAttributesLength),
            ["dataschema"] = Optional("Where the schema of the data is.", EventDraft.MaxAttributesLength),
            ["data"] = new OpenApiSchema { Description = "Any JSON, 256 KiB at most." },
            [CloudEvent.BinaryData] = new OpenApiSchema
            {
                Type = JsonSchemaType.String | JsonSchemaType.Null,
                Format = "byte",
                MaxLength = 4 * ((EventDraft.MaxDataBytes + 2) / 3),
                Description = "Data that is neither JSON nor text.",
            },
        };
        schema.AdditionalProperties = new OpenApiSchema
        {
            Type = JsonSchemaType.String | JsonSchemaType.Boolean | JsonSchemaType.Integer | JsonSchemaType.Null,
            Format = "int32",
            Minimum = $"{int.MinValue}",
            Maximum = $"{int.MaxValue}",
            MaxLength = EventDraft.MaxAttributesLength,
            Description = "An extension attribute; its name is 1 to 20 of a-z and 0-9.",
        };
    }

    private static OpenApiSchema Text(string description) =>
        new()
        {
            Type = JsonSchemaType.String,
            MinLength = 1,
            MaxLength = EventDraft.MaxTextLength,
            Description = description,
        };

    private static OpenApiSchema Optional(string description, int maxLength) =>
        new()
        {
            Type = JsonSchemaType.String | JsonSchemaType.Null,
            MaxLength = maxLength,
            Description = description,
        };
}

/// <summary>What the document says of a batch of CloudEvents.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class CloudEventsShapeAttribute : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema)
    {
        var item = new OpenApiSchema();
        new CloudEventShapeAttribute().Describe(item);
        (schema.Items, schema.MaxItems) = (item, EventBatchReader.MaxEvents);
    }
}
