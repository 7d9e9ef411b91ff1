using System.Buffers;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http;

/// <summary>A JSON request body, read whole and strictly before the endpoint runs.</summary>
/// <remarks>What cannot be read never reaches the endpoint: the caller gets 400, 413 or 415 with the place of the fault.</remarks>
public sealed class Body<T> : IEndpointParameterMetadataProvider
{
    private Body(T value) => Value = value;

    public T Value { get; }

    public static async ValueTask<Body<T>> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        var bytes = await RequestBody.ReadAsync(context);
        return new Body<T>(RequestBody.Parse<T>(bytes));
    }

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new AcceptsMetadata(["application/json"], typeof(T)));
}

/// <summary>Thrown where the framework leaves no way to return a value: the exception handler writes the problem.</summary>
public sealed class RefusedRequestException(Problem problem) : Exception(problem.Detail)
{
    public Problem Problem { get; } = problem;
}

/// <summary>How large the body of a route may be, in bytes; 1 MiB where nothing is said.</summary>
public sealed record BodyLimit(int Bytes)
{
    public const int Default = 1024 * 1024;
}

/// <summary>Reads request bodies: bounded, whole, and strictly.</summary>
public static class RequestBody
{
    public static TBuilder WithBodyLimit<TBuilder>(this TBuilder builder, int bytes)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new BodyLimit(bytes));

    /// <summary>The raw bytes; the same ones when asked again. Over the route's limit: 413, without reading on.</summary>
    public static async Task<byte[]> ReadAsync(HttpContext context)
    {
        if (context.Features.Get<ReadBody>() is { } read)
        {
            return read.Bytes;
        }

        var bytes = await ReadOnceAsync(context);
        context.Features.Set(new ReadBody(bytes));
        return bytes;
    }

    private sealed record ReadBody(byte[] Bytes);

    private static async Task<byte[]> ReadOnceAsync(HttpContext context)
    {
        RefuseCharsets(context.Request);
        var isPacked = IsGzip(context.Request);
        var limit = context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>()?.Bytes ?? BodyLimit.Default;
        if (context.Request.ContentLength > limit)
        {
            throw TooLarge(limit);
        }

        return isPacked ? await UnpackAsync(context, limit) : await ReadAsync(context, limit);
    }

    private static async Task<byte[]> ReadAsync(HttpContext context, int limit)
    {
        var body = context.Request.BodyReader;
        while (true)
        {
            var read = await body.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > limit)
            {
                body.AdvanceTo(read.Buffer.End);
                throw TooLarge(limit);
            }

            if (read.IsCompleted)
            {
                var bytes = read.Buffer.ToArray();
                body.AdvanceTo(read.Buffer.End);
                return bytes;
            }

            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static async Task<byte[]> UnpackAsync(HttpContext context, int limit)
    {
        try
        {
            return await GzipBody.ReadAsync(context.Request.Body, limit, context.RequestAborted)
                ?? throw TooLarge(limit);
        }
        catch (InvalidDataException)
        {
            const string Message = "The body is not gzip, or ends too early.";
            throw new RefusedRequestException(
                Problems.MalformedBody.Because(
                    Message,
                    FieldError.InHeader("Content-Encoding", "invalid_gzip", Message)
                )
            );
        }
    }

    /// <summary>Strict JSON into a type. Faults are thrown as 400 with a pointer.</summary>
    public static T Parse<T>(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            throw Malformed(FieldError.At("", "empty_body", "A JSON body is required."));
        }

        if (StrictJson.Check(bytes.Span) is { } fault)
        {
            throw Malformed(fault);
        }

        try
        {
            return JsonSerializer.Deserialize<T>(bytes.Span, JsonRules.Options)
                ?? throw Malformed(FieldError.At("", "wrong_type", "The body must be an object, not null."));
        }
        catch (JsonException exception)
        {
            throw Malformed(JsonFaults.Explain(exception));
        }
    }

    public static RefusedRequestException Malformed(FieldError error) =>
        new(Problems.MalformedBody.Because(error.Message, error));

    private static bool IsGzip(HttpRequest request)
    {
        const string Message = "Send gzip, or the body as it is.";
        var encoding = request.Headers.ContentEncoding.ToString();
        return encoding.ToUpperInvariant() switch
        {
            "" or "IDENTITY" => false,
            "GZIP" or "X-GZIP" => true,
            _ => throw new RefusedRequestException(
                Problems.UnsupportedMediaType.Because(
                    Message,
                    FieldError.InHeader("Content-Encoding", "not_supported", Message)
                ) with
                {
                    Headers = new Dictionary<string, string> { ["Accept-Encoding"] = "gzip, identity" },
                }
            ),
        };
    }

    /// <summary>Bytes that mean other than what they say would be read wrongly, not refused.</summary>
    private static void RefuseCharsets(HttpRequest request)
    {
        if (
            MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            && type.Charset.HasValue
            && !type.Charset.Value!.Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase)
        )
        {
            throw new RefusedRequestException(
                Problems.WrongContentType("Send UTF-8: charset must be utf-8, or left out.")
            );
        }
    }

    private static RefusedRequestException TooLarge(int limit)
    {
        var message = string.Create(CultureInfo.InvariantCulture, $"The body may be {limit} bytes at most.");
        return new RefusedRequestException(Problems.TooLarge.Because(message, FieldError.At("", "too_large", message)));
    }
}
