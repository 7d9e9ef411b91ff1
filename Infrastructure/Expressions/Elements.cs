using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>Goes over the elements of a list, or the members of a map, wherever they are kept.</summary>
internal struct Elements
{
    private readonly object? _kept;
    private readonly bool _isObject;
    private JsonElement.ArrayEnumerator _array;
    private JsonElement.ObjectEnumerator _object;
    private int _index = -1;

    public Elements(object? kept, JsonElement json)
    {
        _kept = kept;
        if (kept is not null)
        {
            return;
        }

        _isObject = json.ValueKind == JsonValueKind.Object;
        if (_isObject)
        {
            _object = json.EnumerateObject();
        }
        else
        {
            _array = json.EnumerateArray();
        }
    }

    /// <summary>The element of a list, or the value of a member.</summary>
    public readonly Value Item =>
        _kept switch
        {
            Value[] items => items[_index],
            OrderedDictionary<string, Value> members => members.GetAt(_index).Value,
            _ => Value.From(_isObject ? _object.Current.Value : _array.Current),
        };

    /// <summary>The name of a member.</summary>
    public readonly string Key =>
        _kept is OrderedDictionary<string, Value> members ? members.GetAt(_index).Key : _object.Current.Name;

    public bool MoveNext()
    {
        _index++;
        return _kept switch
        {
            Value[] items => _index < items.Length,
            OrderedDictionary<string, Value> members => _index < members.Count,
            _ => _isObject ? _object.MoveNext() : _array.MoveNext(),
        };
    }
}
