using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>A part of a template that knows how to write itself.</summary>
internal abstract class TemplateNode
{
    /// <summary>Writes the node, or says what stood in the way; the output is useless then.</summary>
    public abstract ExpressionError? Render(ref Rendering rendering);

    protected static ExpressionError? Fits(ref Rendering rendering, string pointer) =>
        rendering.Writer.BytesCommitted + rendering.Writer.BytesPending <= rendering.MaxBytes
            ? null
            : TooLarge(rendering, Position.Start, pointer);

    protected static ExpressionError TooLarge(in Rendering rendering, Position at, string pointer) =>
        new(ErrorCode.TooLarge, $"The rendered document is larger than {rendering.MaxBytes} bytes.", at, pointer);
}

/// <summary>A part without expressions, written as it is.</summary>
internal sealed class FixedNode(JsonElement json, string pointer) : TemplateNode
{
    public override ExpressionError? Render(ref Rendering rendering)
    {
        rendering.Writer.WriteRawValue(JsonMarshal.GetRawUtf8Value(json), skipInputValidation: true);
        return Fits(ref rendering, pointer);
    }
}

internal sealed class ObjectNode((string Name, TemplateNode Node)[] members) : TemplateNode
{
    public override ExpressionError? Render(ref Rendering rendering)
    {
        rendering.Writer.WriteStartObject();
        foreach (var (name, node) in members)
        {
            rendering.Writer.WritePropertyName(name);
            if (node.Render(ref rendering) is { } error)
            {
                return error;
            }
        }

        rendering.Writer.WriteEndObject();
        return null;
    }
}

internal sealed class ArrayNode(TemplateNode[] items) : TemplateNode
{
    public override ExpressionError? Render(ref Rendering rendering)
    {
        rendering.Writer.WriteStartArray();
        foreach (var item in items)
        {
            if (item.Render(ref rendering) is { } error)
            {
                return error;
            }
        }

        rendering.Writer.WriteEndArray();
        return null;
    }
}

/// <summary>A string that is exactly one expression: the value keeps its kind.</summary>
internal sealed class ValueNode(TemplatePart part, string pointer) : TemplateNode
{
    public override ExpressionError? Render(ref Rendering rendering)
    {
        var result = part.Expression!.Evaluate(rendering.Variables, ref rendering.Left);
        return !result.Succeeded ? result.Error with { Pointer = pointer }
            : result.Value.TryWriteTo(rendering.Writer, rendering.MaxBytes) ? null
            : TooLarge(rendering, part.At, pointer);
    }
}

/// <summary>A string of texts and expressions by turns.</summary>
internal sealed class TextNode(TemplatePart[] parts, string pointer) : TemplateNode
{
    public override ExpressionError? Render(ref Rendering rendering)
    {
        var text = new StringBuilder();
        foreach (var part in parts)
        {
            if (part.Append(text, ref rendering) is { } error)
            {
                return error with { Pointer = pointer };
            }

            if (text.Length > rendering.MaxBytes)
            {
                return TooLarge(rendering, part.At, pointer);
            }
        }

        rendering.Writer.WriteStringValue(text.ToString());
        return Fits(ref rendering, pointer);
    }
}

/// <summary>A stretch of a string: either its text, or an expression.</summary>
internal sealed record TemplatePart(string Text, Expression? Expression, Position At)
{
    public ExpressionError? Append(StringBuilder text, ref Rendering rendering)
    {
        if (Expression is null)
        {
            text.Append(Text);
            return null;
        }

        var result = Expression.Evaluate(rendering.Variables, ref rendering.Left);
        if (!result.Succeeded)
        {
            return result.Error;
        }

        if (result.Value.Kind == Kinds.Null)
        {
            return new ExpressionError(
                ErrorCode.NullInText,
                $"${{{Expression.Source}}} is null, which has no text; say what to write instead.",
                At
            );
        }

        if (result.Value.ToText(rendering.MaxBytes) is not { } written)
        {
            return new ExpressionError(
                ErrorCode.TooLarge,
                $"The text of ${{{Expression.Source}}} is larger than {rendering.MaxBytes} bytes.",
                At
            );
        }

        text.Append(written);
        return null;
    }
}
