using System.Text;
using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>Finds the expressions in the strings of a document and compiles them.</summary>
internal sealed class TemplateReader(Scope scope)
{
    private const string Opening = "${";

    private readonly HashSet<(string Name, string Member)> _named = [];

    /// <summary>What the expressions read so far use of what is used by name alone.</summary>
    public IReadOnlySet<(string Name, string Member)> Named => _named;

    public TemplateNode Read(JsonElement document) => Read(document, "", 0);

    private TemplateNode Read(JsonElement json, string pointer, int depth)
    {
        if (depth > Limits.Depth)
        {
            throw Fail(ErrorCode.TooDeep, $"The document is more than {Limits.Depth} levels deep.", pointer);
        }

        return json.ValueKind switch
        {
            JsonValueKind.String => ReadText(json, pointer),
            JsonValueKind.Array => ReadArray(json, pointer, depth),
            JsonValueKind.Object => ReadObject(json, pointer, depth),
            _ => new FixedNode(json, pointer),
        };
    }

    private TemplateNode ReadArray(JsonElement json, string pointer, int depth)
    {
        var items = json.EnumerateArray()
            .Select((item, index) => Read(item, $"{pointer}/{index}", depth + 1))
            .ToArray();
        return items.All(item => item is FixedNode) ? new FixedNode(json, pointer) : new ArrayNode(items);
    }

    private TemplateNode ReadObject(JsonElement json, string pointer, int depth)
    {
        var members = json.EnumerateObject().Select(member => ReadMember(member, pointer, depth)).ToArray();
        return members.All(member => member.Node is FixedNode) ? new FixedNode(json, pointer) : new ObjectNode(members);
    }

    private (string Name, TemplateNode Node) ReadMember(JsonProperty member, string pointer, int depth)
    {
        var below =
            $"{pointer}/{member.Name.Replace("~", "~0", StringComparison.Ordinal)
            .Replace("/", "~1", StringComparison.Ordinal)}";
        return member.Name.Contains(Opening, StringComparison.Ordinal)
            ? throw Fail(ErrorCode.ExpressionInName, "The name of a member cannot be an expression.", below)
            : (member.Name, Read(member.Value, below, depth + 1));
    }

    private TemplateNode ReadText(JsonElement json, string pointer)
    {
        var text = json.GetString()!;
        if (!text.Contains(Opening, StringComparison.Ordinal))
        {
            return new FixedNode(json, pointer);
        }

        try
        {
            return ReadParts(text) switch
            {
                [{ Expression: not null } only] => new ValueNode(only, pointer),
                var parts => new TextNode([.. parts], pointer),
            };
        }
        catch (CompilationException refused)
        {
            throw new CompilationException(refused.Error with { Pointer = pointer });
        }
    }

    private List<TemplatePart> ReadParts(string text)
    {
        var parts = new List<TemplatePart>();
        var literal = new StringBuilder();
        var (offset, at) = (0, Position.Start);
        while (text.IndexOf(Opening, offset, StringComparison.Ordinal) is var opening and >= 0)
        {
            if (opening > offset && text[opening - 1] == '$')
            {
                literal.Append(text, offset, opening - 1 - offset).Append(Opening);
                (offset, at) = Advance(at, text, offset, opening + Opening.Length);
                continue;
            }

            literal.Append(text, offset, opening - offset);
            AddText(parts, literal, at);
            (offset, at) = Advance(at, text, offset, opening + Opening.Length);
            var (expression, end) = Expression.CompileEmbedded(text, offset, at, scope);
            _named.UnionWith(expression.Named);
            parts.Add(new TemplatePart("", expression, at));
            (offset, at) = Advance(at, text, offset, end);
        }

        AddText(parts, literal.Append(text, offset, text.Length - offset), at);
        return parts;
    }

    private static void AddText(List<TemplatePart> parts, StringBuilder literal, Position at)
    {
        if (literal.Length > 0)
        {
            parts.Add(new TemplatePart(literal.ToString(), null, at));
            literal.Clear();
        }
    }

    private static (int Offset, Position At) Advance(Position at, string text, int from, int to)
    {
        for (; from < to; from++)
        {
            at = Lexer.After(at, text, from);
        }

        return (to, at);
    }

    private static CompilationException Fail(string code, string message, string pointer) =>
        new(new ExpressionError(code, message, Position.Start.Line, Position.Start.Column, pointer));
}
