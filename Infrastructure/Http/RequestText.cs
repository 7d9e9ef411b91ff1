using System.Buffers;
using System.Globalization;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace Bellhop.Infrastructure.Http;

/// <summary>Refuses a request line or a header that is not text, before anything reads it: 400, naming the place.</summary>
/// <remarks>
/// A broken percent-encoding, bytes that are not UTF-8 and U+0000 would otherwise be kept as they are, replaced, or fail in the
/// database. What the server itself cannot parse it answers with 400 and no body.
/// </remarks>
public static class RequestText
{
    // what the server puts where bytes of a header are not UTF-8
    private const char Replacement = '\uFFFD';

    public static Task UseAsync(HttpContext context, RequestDelegate next)
    {
        var problem = CheckTarget(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        problem ??= CheckHeaders(context.Request.Headers);
        return problem is null ? next(context) : new ProblemResponse(problem).ExecuteAsync(context);
    }

    private static Problem? CheckTarget(string target)
    {
        if (!target.Contains('%', StringComparison.Ordinal))
        {
            return null;
        }

        var end = target.IndexOf('?', StringComparison.Ordinal);
        if (!IsText(end < 0 ? target : target.AsSpan(0, end)))
        {
            return NotText("path");
        }

        foreach (var pair in end < 0 ? [] : target[(end + 1)..].Split('&'))
        {
            if (!IsText(pair))
            {
                return NotText(pair.Split('=')[0]);
            }
        }

        return null;
    }

    private static Problem NotText(string parameter)
    {
        const string Message = "Give percent-encoded UTF-8 without U+0000.";
        return Problems.MalformedRequest.Because(
            $"{parameter}: {Message}",
            FieldError.InParameter(parameter, "invalid_encoding", Message)
        );
    }

    private static Problem? CheckHeaders(IHeaderDictionary headers)
    {
        foreach (var (name, values) in headers)
        {
            foreach (var value in values)
            {
                if (value?.Contains(Replacement, StringComparison.Ordinal) == true)
                {
                    const string Message = "Give UTF-8.";
                    return Problems.MalformedRequest.Because(
                        $"{name}: {Message}",
                        FieldError.InHeader(name, "invalid_encoding", Message)
                    );
                }
            }
        }

        return null;
    }

    private static bool IsText(ReadOnlySpan<char> encoded)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(encoded.Length);
        try
        {
            return TryDecode(encoded, bytes, out var length)
                && Utf8.IsValid(bytes.AsSpan(0, length))
                && !bytes.AsSpan(0, length).Contains((byte)0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static bool TryDecode(ReadOnlySpan<char> encoded, Span<byte> bytes, out int length)
    {
        length = 0;
        for (var index = 0; index < encoded.Length; index++, length++)
        {
            if (encoded[index] != '%')
            {
                bytes[length] = (byte)encoded[index]; // the server lets nothing but ASCII through
                continue;
            }

            if (
                index + 2 >= encoded.Length
                || !byte.TryParse(
                    encoded.Slice(index + 1, 2),
                    NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture,
                    out bytes[length]
                )
            )
            {
                return false;
            }

            index += 2;
        }

        return true;
    }
}
