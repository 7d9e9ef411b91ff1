using System.Runtime.InteropServices;
using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// A JSON value: null, bool, 64-bit integer, double, string, list or map with string keys. One that comes from a
/// document stays there until it is looked at, and is written as it arrived, <c>1.10</c> as <c>1.10</c>.
/// </summary>
/// <remarks>
/// A number of a document is an integer when it is written as one and fits 64 bits, else a double. The document must
/// outlive the value. The default value is null. Values are immutable.
/// </remarks>
public readonly partial struct Value
{
    private readonly JsonElement _json; // Undefined where the value was computed
    private readonly object? _reference; // string, Value[], OrderedDictionary<string, Value> or ExpressionError
    private readonly long _bits; // of a bool, an integer or a double
    private readonly Kinds _kind; // zero in the default value

    private Value(Kinds kind, object? reference, long bits = 0, JsonElement json = default) =>
        (_kind, _reference, _bits, _json) = (kind, reference, bits, json);

    public static Value Null => default;

    /// <summary>Exactly one kind.</summary>
    public Kinds Kind => _kind == Kinds.None ? Kinds.Null : _kind;

    public static Value From(bool value) => new(Kinds.Bool, null, value ? 1 : 0);

    public static Value From(long value) => new(Kinds.Int, null, value);

    /// <summary>A finite number; JSON has no other, and any other is a bug and throws.</summary>
    public static Value From(double value) =>
        double.IsFinite(value)
            ? new(Kinds.Double, null, BitConverter.DoubleToInt64Bits(value))
            : throw new ArgumentOutOfRangeException(nameof(value), value, "JSON has finite numbers only.");

    public static Value From(string? value) => value is null ? Null : new(Kinds.String, value);

    public static Value From(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.True => From(true),
            JsonValueKind.False => From(false),
            JsonValueKind.String => new(Kinds.String, null, 0, json),
            JsonValueKind.Array => new(Kinds.List, null, 0, json),
            JsonValueKind.Object => new(Kinds.Map, null, 0, json),
            JsonValueKind.Number when json.TryGetInt64(out var integer) => new(Kinds.Int, null, integer, json),
            JsonValueKind.Number => new(Kinds.Double, null, BitConverter.DoubleToInt64Bits(json.GetDouble()), json),
            _ => Null,
        };

    public static Value List(params ReadOnlySpan<Value> items) => ListOf(items.ToArray());

    /// <summary>A map with these members, in this order; a name given twice is a bug and throws.</summary>
    public static Value Map(params ReadOnlySpan<(string Name, Value Value)> members)
    {
        var map = new OrderedDictionary<string, Value>(members.Length);
        foreach (var (name, value) in members)
        {
            map.Add(name, value);
        }

        return MapOf(map);
    }

    /// <summary>True and the bool, where it is one: nothing else is true or false.</summary>
    public bool TryGetBool(out bool value)
    {
        value = _bits != 0;
        return _kind == Kinds.Bool;
    }

    internal static Value ListOf(Value[] items) => new(Kinds.List, items);

    internal static Value MapOf(OrderedDictionary<string, Value> members) => new(Kinds.Map, members);

    internal static Value Failed(ExpressionError error) => new(Kinds.Error, error);

    internal static Value Failed(string code, string message, Position at) => Failed(new(code, message, at));

    internal bool IsError => _kind == Kinds.Error;

    internal ExpressionError Error => (ExpressionError)_reference!;

    internal bool IsTrue => _kind == Kinds.Bool && _bits != 0;

    internal bool IsFalse => _kind == Kinds.Bool && _bits == 0;

    internal bool IsNumber => (_kind & Kinds.Number) != 0;

    internal long Int => _bits;

    /// <summary>Of either kind of number; an integer beyond 2^53 is rounded.</summary>
    internal double Double => _kind == Kinds.Int ? _bits : BitConverter.Int64BitsToDouble(_bits);

    /// <summary>The text of a string. From a document it is decoded anew each time.</summary>
    internal string Text() => _reference as string ?? _json.GetString()!;

    /// <summary>The length of what a document or an author gave as text, to within its escapes, without decoding it.</summary>
    internal int TextLength =>
        _reference is string text ? text.Length
        : _json.ValueKind == JsonValueKind.Undefined ? 0
        : DocumentLength;

    internal bool TextEquals(in Value other) =>
        _reference is string text
            ? other._reference is string otherText
                ? text == otherText
                : other._json.ValueEquals(text)
            : _json.ValueEquals(other.Text());

    internal bool IsDocument => _json.ValueKind is JsonValueKind.Array or JsonValueKind.Object;

    internal JsonElement Document => _json;

    internal int DocumentLength => JsonMarshal.GetRawUtf8Value(_json).Length;

    /// <summary>Elements of a list or members of a map.</summary>
    internal int Count =>
        _reference switch
        {
            Value[] items => items.Length,
            OrderedDictionary<string, Value> members => members.Count,
            _ => _kind == Kinds.List ? _json.GetArrayLength() : _json.GetPropertyCount(),
        };

    internal Value ItemAt(int index) => _reference is Value[] items ? items[index] : From(_json[index]);

    /// <param name="utf8">The name once more, since a document is searched in UTF-8.</param>
    internal bool TryGetMember(string name, ReadOnlySpan<byte> utf8, out Value value)
    {
        if (_reference is OrderedDictionary<string, Value> members)
        {
            return members.TryGetValue(name, out value);
        }

        var found = _json.TryGetProperty(utf8, out var json);
        value = found ? From(json) : Null;
        return found;
    }

    internal bool TryGetMember(string name, out Value value)
    {
        if (_reference is OrderedDictionary<string, Value> members)
        {
            return members.TryGetValue(name, out value);
        }

        var found = _json.TryGetProperty(name, out var json);
        value = found ? From(json) : Null;
        return found;
    }

    internal Elements GetElements() => new(_reference, _json);
}
