using Amazon.Runtime;
using Amazon.S3;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Opens the bucket of a connection: requests go out as all others do, to checked addresses, without redirects.</summary>
internal static class Bucket
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static AmazonS3Client Open(S3Config config, string secret, OutgoingClient outgoing) =>
        new(
            new BasicAWSCredentials(config.AccessKeyId, secret),
            new AmazonS3Config
            {
                ServiceURL = config.Endpoint,
                AuthenticationRegion = config.Region,
                ForcePathStyle = true,
                MaxErrorRetry = 0,
                Timeout = Timeout,
                // other stores do not know the newer checksums
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
                HttpClientFactory = new WayOut(outgoing),
            }
        );

    private sealed class WayOut(OutgoingClient outgoing) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => outgoing.ForLibrary(Timeout);

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => true;
    }
}
