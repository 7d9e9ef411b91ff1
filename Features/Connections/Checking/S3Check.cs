using Amazon.S3;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections.Checking;

/// <summary>Lists a bucket with a signed request; whether it may be written to is not tried.</summary>
internal sealed class S3Check(ServerProbe probe, OutgoingClient outgoing) : IConnectionCheck
{
    public IReadOnlyList<string> Kinds => [ConnectionKind.S3];

    public IEnumerable<string> StepsOf(OpenConnection connection) =>
        [.. ServerProbe.StepsTo(((S3Config)connection.Config).Endpoint), StepName.List];

    public async Task RunAsync(OpenConnection connection, CheckSteps steps, CancellationToken cancellationToken)
    {
        var config = (S3Config)connection.Config;
        if (!await probe.ReachAsync(steps, new Uri(config.Endpoint), cancellationToken))
        {
            return;
        }

        if (connection.Secret is not { } secret)
        {
            steps.Fail(Reasons.Of(ConnectionErrors.SecretMissing));
            return;
        }

        using var bucket = Bucket.Open(config, secret, outgoing);
        try
        {
            await bucket.ListObjectsV2Async(new() { BucketName = config.Bucket, MaxKeys = 1 }, cancellationToken);
            steps.Reached(StepName.List, $"The bucket {config.Bucket} may be listed; writing was not tried.");
        }
        catch (Exception exception) when (exception is AmazonS3Exception or HttpRequestException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            steps.Fail(Explain(exception, config, secret));
        }
    }

    private static string Explain(Exception exception, S3Config config, string secret) =>
        exception switch
        {
            AmazonS3Exception { ErrorCode: "NoSuchBucket" } => $"There is no bucket {config.Bucket}.",
            AmazonS3Exception { ErrorCode: "InvalidAccessKeyId" } => "There is no access key of that id.",
            AmazonS3Exception { ErrorCode: "SignatureDoesNotMatch" } => "The secret does not belong to access_key_id.",
            AmazonS3Exception { ErrorCode: "AccessDenied" } =>
                $"The key may not list the bucket {config.Bucket} (s3:ListBucket).",
            AmazonS3Exception refused when (int)refused.StatusCode is >= 300 and <= 399 =>
                "It answered with a redirect, which is never followed: give the endpoint of the bucket's own region.",
            AmazonS3Exception { StatusCode: not 0 } refused =>
                $"{(int)refused.StatusCode} {Redaction.Of($"{refused.ErrorCode}: {refused.Message}", secret)}",
            _ => Reasons.Of(OutgoingErrors.Of(exception.InnerException ?? exception)),
        };
}
