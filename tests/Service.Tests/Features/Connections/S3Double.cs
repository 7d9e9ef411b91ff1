using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Bellhop.Tests.Features.Connections;

/// <summary>A double of an S3 store with one bucket and one key; it verifies signatures (AWS Signature Version 4), and lists.</summary>
internal static class S3Double
{
    public const string Bucket = "exports";
    public const string KeyId = "AKIDEXAMPLE";
    public const string Secret = "canary-s3-7a4";
    public const string Region = "eu-1";

    public static Task<ApiDouble> StartAsync() => ApiDouble.StartAsync(Answer);

    private static IResult Answer(ApiRequest request)
    {
        // AWS4-HMAC-SHA256 Credential=id/date/region/s3/aws4_request, SignedHeaders=a;b, Signature=hex
        var parts = request
            .Headers.GetValueOrDefault("Authorization", "")
            .Replace("AWS4-HMAC-SHA256 ", "", StringComparison.Ordinal)
            .Split(", ")
            .Select(part => part.Split('=', 2))
            .Where(part => part.Length == 2)
            .ToDictionary(part => part[0], part => part[1], StringComparer.Ordinal);
        var scope = parts.GetValueOrDefault("Credential", "").Split('/', 2);
        if (scope[0] != KeyId)
        {
            return Error(403, "InvalidAccessKeyId");
        }

        var signature = Sign(request, parts["SignedHeaders"].Split(';'), scope[1]);
        return signature != parts["Signature"] ? Error(403, "SignatureDoesNotMatch")
            : request.Path.Split('?')[0].Trim('/') != Bucket ? Error(404, "NoSuchBucket")
            : Results.Text(
                $"<ListBucketResult><Name>{Bucket}</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>",
                "application/xml"
            );
    }

    private static string Sign(ApiRequest request, string[] signed, string scope)
    {
        var (path, query) = request.Path.Split('?') is [var only]
            ? (only, "")
            : (request.Path.Split('?')[0], request.Path.Split('?')[1]);
        var canonical = string.Join(
            '\n',
            [
                request.Method,
                path,
                string.Join(
                    '&',
                    query.Split('&').Select(one => one.Contains('=') ? one : one + "=").Order(StringComparer.Ordinal)
                ),
                .. signed.Select(name => $"{name}:{request.Headers[name].Trim()}"),
                "",
                string.Join(';', signed),
                request.Headers["x-amz-content-sha256"],
            ]
        );
        var text = string.Join(
            '\n',
            "AWS4-HMAC-SHA256",
            request.Headers["x-amz-date"],
            scope,
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))
        );
        var key = scope
            .Split('/')
            .Aggregate(
                Encoding.UTF8.GetBytes("AWS4" + Secret),
                (before, part) => HMACSHA256.HashData(before, Encoding.UTF8.GetBytes(part))
            );
        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text)));
    }

    private static IResult Error(int status, string code) =>
        Results.Text(
            $"<Error><Code>{code}</Code><Message>refused</Message></Error>",
            "application/xml",
            statusCode: status
        );
}
