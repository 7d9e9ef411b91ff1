using System.Buffers;
using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// A JSON document in whose strings <c>${…}</c> stands for the value of an expression. A string that is exactly one
/// <c>${…}</c> becomes that value, of whatever kind; inside longer text the value is rendered as text.
/// </summary>
/// <remarks>
/// Inside longer text null is an error, for a gap in a path or a subject is seldom meant: <c>${x == null ? '' : x}</c>
/// says that it is. Lists and maps are rendered as JSON. <c>$${</c> is a literal <c>${</c>. Names of members are never
/// expressions. Errors carry the pointer of the string, and line and column in it.
/// </remarks>
public sealed class Template
{
    private readonly TemplateNode _root;

    private Template(TemplateNode root, IReadOnlySet<(string Name, string Member)> named) =>
        (_root, Named) = (root, named);

    /// <summary>Which members its expressions use of what is used by name alone (<see cref="Shape.Named"/>).</summary>
    public IReadOnlySet<(string Name, string Member)> Named { get; }

    /// <summary>Compiles a document, of which it keeps a copy.</summary>
    public static ExpressionResult<Template> Compile(JsonElement document, Scope scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        try
        {
            var reader = new TemplateReader(scope);
            return new Template(reader.Read(document.Clone()), reader.Named);
        }
        catch (CompilationException refused)
        {
            return refused.Error;
        }
        catch (InvalidOperationException)
        {
            // as in Expression: JSON by its syntax, but not Unicode
            return new ExpressionError(ErrorCode.BadText, "The document holds text that is not Unicode.", 1, 1, "");
        }
    }

    /// <summary>
    /// The document with its expressions evaluated; <paramref name="variables"/> are the names of the scope, in their
    /// order. More than <paramref name="maxBytes"/> of JSON is an error, as is more than 64 levels of it.
    /// </summary>
    public ExpressionResult<JsonElement> Render(ReadOnlySpan<Value> variables, int maxBytes = Limits.OutputBytes)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true });
        var rendering = new Rendering(variables, writer, maxBytes);
        if (_root.Render(ref rendering) is { } error)
        {
            return error;
        }

        writer.Flush();
        try
        {
            return JsonElement.Parse(buffer.WrittenSpan);
        }
        catch (JsonException)
        {
            // what was written is well-formed; its depth is the one thing the parser can object to
            return new ExpressionError(
                ErrorCode.TooDeep,
                "The rendered document is more than 64 levels deep.",
                1,
                1,
                ""
            );
        }
    }
}

/// <summary>One rendering: what goes in, where it goes, what it may still spend.</summary>
internal ref struct Rendering(ReadOnlySpan<Value> variables, Utf8JsonWriter writer, int maxBytes)
{
    public readonly ReadOnlySpan<Value> Variables = variables;

    public readonly Utf8JsonWriter Writer = writer;

    public readonly int MaxBytes = maxBytes;

    public Budget Left = new(Limits.RenderCostUnits);
}
