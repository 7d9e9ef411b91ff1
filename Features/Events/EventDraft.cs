using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>An event while it is read: takes its attributes one by one, and says everything that is wrong with them.</summary>
/// <param name="pointer">Where the event stands in the body; null: its attributes are headers.</param>
/// <remarks>
/// The bounds: <c>type</c>, <c>source</c>, <c>subject</c> and <c>id</c> 1–255 characters, data 256 KiB, all other attributes
/// together 16 KiB. Names and values as in CloudEvents 1.0.2 section 3; <c>time</c> as in RFC 3339, with its offset.
/// </remarks>
internal sealed partial class EventDraft(string? pointer)
{
    public const int MaxTextLength = 255;
    public const int MaxDataBytes = 256 * 1024;
    public const int MaxAttributesLength = 16 * 1024;

    private readonly List<FieldError> _unreadable = [];
    private readonly List<FieldError> _invalid = [];
    private StringBuilder? _attributes;
    private string? _firstExtension;
    private string? _unfit;
    private string? _specVersion;
    private string? _id;
    private string? _source;
    private string? _type;
    private string? _subject;
    private DateTime? _time;
    private string? _data;
    private string? _binaryData;
    private int _dataBytes;

    /// <summary>Takes an attribute whose value is text.</summary>
    public void Put(string name, string value)
    {
        switch (name)
        {
            case "specversion":
                _specVersion = value;
                break;
            case "id":
                _id = Bounded(name, value);
                break;
            case "source":
                _source = Bounded(name, value);
                break;
            case "type":
                _type = Bounded(name, value);
                break;
            case "subject":
                _subject = Bounded(name, value);
                break;
            case "time":
                _time = Rfc3339.Parse(value) ?? Unreadable(name, Rfc3339.Form.TrimEnd('.'));
                break;
            default:
                Extend(name, value);
                break;
        }
    }

    /// <summary>Takes an attribute that is a truth value or a 32-bit number, as JSON spells it; only extensions may be.</summary>
    public void PutLiteral(string name, string json)
    {
        if (IsOwn(name) || name is "datacontenttype" or "dataschema")
        {
            Unreadable(name, $"{name} is text");
            return;
        }

        AddExtension(name, json);
    }

    /// <summary>Takes a null: the attribute is not there (JSON format 2.2), but its name still counts.</summary>
    public void PutNothing(string name)
    {
        if (!IsOwn(name))
        {
            _firstExtension ??= name;
        }
    }

    /// <summary>Takes an attribute whose value no attribute can have.</summary>
    public void PutUnfit(string name)
    {
        if (IsOwn(name))
        {
            Unreadable(name, $"{name} is text");
            return;
        }

        _firstExtension ??= name;
        _unfit ??= name;
    }

    /// <summary>Takes the data as JSON.</summary>
    public void PutData(ReadOnlySpan<byte> json)
    {
        _dataBytes = json.Length;
        _data = json.Length > MaxDataBytes ? "null" : Encoding.UTF8.GetString(json); // what is too large goes no further
    }

    /// <summary>Takes data that is text, as a JSON string.</summary>
    public void PutText(string text, int bytes)
    {
        _dataBytes = bytes;
        _data = bytes > MaxDataBytes ? "null" : JsonSerializer.Serialize(text, JsonRules.Options);
    }

    /// <summary>Takes data that is not JSON, in base64 (RFC 4648 section 4).</summary>
    public void PutBinaryData(string base64)
    {
        if (!Base64.IsValid(base64, out _dataBytes))
        {
            Unreadable(CloudEvent.BinaryData, "the value is not base64");
            return;
        }

        _binaryData = base64;
    }

    /// <summary>Notes a value that cannot be what it stands for.</summary>
    public DateTime? Unreadable(string name, string message, string code = "wrong_type")
    {
        _unreadable.Add(At(name, code, char.ToUpperInvariant(message[0]) + message[1..] + "."));
        return null;
    }

    /// <summary>The event, or every fault at once: 400 what could not be read, 413 too much data, 422 the rest.</summary>
    public Result<NewEvent> ToEvent(EventReceipt receipt, bool mustBeCloudEvent)
    {
        CheckWhole(mustBeCloudEvent || _specVersion is not null);
        if (_unreadable.Count > 0)
        {
            return Because(Problems.MalformedBody, _unreadable);
        }

        if (_invalid.Count > 0)
        {
            return Because(Problems.Invalid, _invalid);
        }

        if (_dataBytes > MaxDataBytes)
        {
            // in binary mode the body is the data
            var member = pointer is null ? null : (_binaryData is null ? "data" : CloudEvent.BinaryData);
            var message = string.Create(
                CultureInfo.InvariantCulture,
                $"The data of the event {string.Join(' ', _source, _id).TrimEnd()} has {_dataBytes} bytes; {MaxDataBytes} is the most."
            );
            return Problems.TooLarge.Because(message, At(member, "too_large", message));
        }

        return new NewEvent
        {
            ProjectId = receipt.ProjectId,
            Id = receipt.Id,
            ReceivedAt = receipt.ReceivedAt,
            TraceParent = receipt.TraceParent,
            EventId = _id ?? receipt.Id.ToString(),
            Source = _source!,
            Type = _type!,
            Subject = _subject,
            Time = _time,
            Data = _data,
            Attributes = AttributesAsJson(),
        };
    }

    private void CheckWhole(bool isCloudEvent)
    {
        if (isCloudEvent && _specVersion != "1.0")
        {
            Invalid(
                "specversion",
                _specVersion is null ? "required" : "unsupported_version",
                "specversion must be 1.0."
            );
        }

        if (isCloudEvent && _unfit is not null)
        {
            Unreadable(_unfit, "an attribute is text, a truth value or a 32-bit number");
        }

        if (!isCloudEvent && (_firstExtension ?? (_binaryData is null ? null : CloudEvent.BinaryData)) is { } unknown)
        {
            Unreadable(
                unknown,
                $"there is no member {unknown}; with \"specversion\": \"1.0\" it would be an extension attribute",
                "unknown_member"
            );
        }

        Require("type", _type);
        if (_type is { Length: > 0 } && !EventTypePattern.IsType(_type))
        {
            Invalid("type", "invalid_event_type", $"type is {EventTypePattern.TypeForm}.");
        }

        Require("source", _source);
        if (_source?.StartsWith(NewEvent.AutomationSource, StringComparison.Ordinal) == true)
        {
            _invalid.Add(
                At(
                    "source",
                    "reserved",
                    $"Sources that begin with {NewEvent.AutomationSource} are those of automations."
                )
            );
        }

        if (isCloudEvent)
        {
            Require("id", _id);
        }

        if (_data is not null && _binaryData is not null)
        {
            Invalid(CloudEvent.BinaryData, "conflicting_members", "An event has data or data_base64, not both.");
        }

        if (_attributes?.Length > MaxAttributesLength)
        {
            _invalid.Add(
                At(
                    pointer is null ? _firstExtension : null,
                    "too_long",
                    $"Extension attributes may have {MaxAttributesLength} characters together at most."
                )
            );
        }
    }

    private void Require(string name, string? value)
    {
        if (value is null)
        {
            Invalid(name, "required", $"{name} is required.");
        }
    }

    private string Bounded(string name, string value)
    {
        if (value.Length is 0 or > MaxTextLength)
        {
            Invalid(
                name,
                value.Length == 0 ? "required" : "too_long",
                $"{name} must have 1 to {MaxTextLength} characters."
            );
        }

        HasNoControls(name, value);
        return value;
    }

    private void Extend(string name, string value)
    {
        if (HasNoControls(name, value))
        {
            AddExtension(name, JsonSerializer.Serialize(value, JsonRules.Options));
        }
    }

    private void AddExtension(string name, string json)
    {
        _firstExtension ??= name;
        if (!ExtensionName().IsMatch(name))
        {
            Invalid(name, "invalid_name", "Attribute names are 1 to 20 of a-z and 0-9.");
            return;
        }

        _attributes ??= new StringBuilder();
        _attributes.Append(_attributes.Length == 0 ? '{' : ',').Append('"').Append(name).Append("\":").Append(json);
    }

    private string? AttributesAsJson() =>
        (_attributes, _binaryData) switch
        {
            (null, null) => null,
            (null, _) => $$"""{"{{CloudEvent.BinaryData}}":"{{_binaryData}}"}""",
            (_, null) => _attributes.Append('}').ToString(),
            _ => _attributes.Append($$""","{{CloudEvent.BinaryData}}":"{{_binaryData}}"}""").ToString(),
        };

    private bool HasNoControls(string name, string value)
    {
        if (
            !value.AsSpan().ContainsAnyInRange('\u0000', '\u001F')
            && !value.AsSpan().ContainsAnyInRange('\u007F', '\u009F')
        )
        {
            return true;
        }

        Invalid(name, "invalid_character", $"{name} may not hold control characters.");
        return false;
    }

    private void Invalid(string name, string code, string message) => _invalid.Add(At(name, code, message));

    private FieldError At(string? name, string code, string message) =>
        (pointer, name) switch
        {
            (_, null) => FieldError.At(pointer ?? "", code, message),
            (null, _) => FieldError.InHeader($"ce-{name}", code, message),
            _ => FieldError.At($"{pointer}/{StrictJson.Escape(name)}", code, message),
        };

    private static bool IsOwn(string name) =>
        name is "specversion" or "id" or "source" or "type" or "subject" or "time";

    private static Problem Because(ProblemCode kind, List<FieldError> faults) =>
        kind.Because(faults.Count == 1 ? faults[0].Message : $"{faults.Count} members are not valid.", [.. faults]);

    [GeneratedRegex(@"^[a-z0-9]{1,20}\z")]
    private static partial Regex ExtensionName();
}
