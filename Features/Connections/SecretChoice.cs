using System.Text;
using System.Text.Json;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections;

/// <summary>Which secret a document wants: a named one, one of its own, the own one that is there, or none.</summary>
internal readonly record struct SecretChoice
{
    /// <summary>How a connection's own secret is shown, and how a document keeps it.</summary>
    public static readonly JsonElement Own = JsonElement.Parse("""{"set":true}""");

    private const string Form =
        "A secret is the name of one, {\"value\": \"…\"}, or {\"set\": true} to keep the connection's own.";

    public string? Name { get; private init; }

    public string? Value { get; private init; }

    public bool Keeps { get; private init; }

    public bool IsNone => Name is null && Value is null && !Keeps;

    /// <summary>Null and the choice, or what is wrong with it.</summary>
    public static FieldError? Read(JsonElement? secret, out SecretChoice choice)
    {
        choice = default;
        switch (secret)
        {
            case null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined }:
                return null;
            case { ValueKind: JsonValueKind.String } name:
                choice = new SecretChoice { Name = name.GetString() };
                return Slug.IsSound(choice.Name) ? null : FieldError.At("/secret", "invalid_name", Slug.Form);
            case { ValueKind: JsonValueKind.Object } members:
                return ReadOwn(members, out choice);
            default:
                return FieldError.At("/secret", "wrong_type", Form);
        }
    }

    public override string ToString() => Name ?? (IsNone ? "none" : "its own");

    private static FieldError? ReadOwn(JsonElement members, out SecretChoice choice)
    {
        choice = default;
        foreach (var member in members.EnumerateObject())
        {
            switch (member.Name)
            {
                case "value" when member.Value.ValueKind == JsonValueKind.String:
                    choice = choice with { Value = member.Value.GetString() };
                    break;
                case "set" when member.Value.ValueKind == JsonValueKind.True:
                    choice = choice with { Keeps = true };
                    break;
                case "value" or "set":
                    return FieldError.At($"/secret/{member.Name}", "wrong_type", Form);
                default:
                    return FieldError.At($"/secret/{StrictJson.Escape(member.Name)}", "unknown_member", Form);
            }
        }

        if (choice.Value is not { } value)
        {
            return choice.Keeps ? null : FieldError.At("/secret", "invalid_secret", Form);
        }

        choice = choice with { Keeps = false }; // a merge patch leaves the sign beside the new value
        return value.Length > 0 && Encoding.UTF8.GetByteCount(value) <= SecretValue.MaxBytes
            ? null
            : FieldError.At(
                "/secret/value",
                "out_of_range",
                $"A secret is 1 to {SecretValue.MaxBytes} bytes of UTF-8."
            );
    }
}
