using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>Makes and checks hashes of passwords, only so many at a time: a flood of logins leaves cores for everybody else.</summary>
/// <remarks>
/// One hash takes some 60 ms of a core and 19 MiB. As many run as there are cores but one, <see cref="MaxWaiting"/> more wait,
/// and who comes then is told to come again (429). They run on pool threads, not on those of requests.
/// </remarks>
public sealed class PasswordHashes : IDisposable
{
    public const int MaxWaiting = 16;

    private static readonly int MaxRunning = Math.Max(1, Environment.ProcessorCount - 1);

    private readonly SemaphoreSlim _running = new(MaxRunning);

    // who runs or waits; counted by whoever enters and leaves
    private int _places;

    /// <summary>A place in the line, or the problem that says that it is full. To be taken before anything else is done.</summary>
    public Result<Place> Enter()
    {
        if (Interlocked.Increment(ref _places) <= MaxRunning + MaxWaiting)
        {
            return new Place(this);
        }

        Interlocked.Decrement(ref _places);
        return Problems.RateLimited.Because("Too many passwords are being checked; repeat it in 1 s.") with
        {
            RetryAfterSeconds = 1,
        };
    }

    public void Dispose() => _running.Dispose();

    private async Task<T> RunAsync<T>(Func<T> hash, CancellationToken cancellationToken)
    {
        await _running.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(hash, CancellationToken.None);
        }
        finally
        {
            _running.Release();
        }
    }

    /// <summary>A place in the line: for one request, which may check one password and hash another.</summary>
    public sealed class Place(PasswordHashes hashes) : IDisposable
    {
        private bool _isLeft;

        /// <summary>The hash of a new password, as it is stored.</summary>
        public Task<string> HashAsync(string password, CancellationToken cancellationToken) =>
            hashes.RunAsync(() => PasswordHash.Of(password).ToPhc(), cancellationToken);

        /// <summary>Whether this is the password of that hash. Where there is no hash it takes as long to say no.</summary>
        /// <param name="phc">As it is stored; null: there is no password.</param>
        public Task<PasswordVerdict> VerifyAsync(string? phc, string password, CancellationToken cancellationToken)
        {
            var known = PasswordHash.Parse(phc);
            return hashes.RunAsync(
                () =>
                {
                    var isRight = (known ?? PasswordHash.OfNobody).IsOf(password) && known is not null;
                    return new PasswordVerdict(isRight, isRight && known!.IsOutdated);
                },
                cancellationToken
            );
        }

        public void Dispose()
        {
            if (!_isLeft)
            {
                _isLeft = true;
                Interlocked.Decrement(ref hashes._places);
            }
        }
    }
}

/// <param name="IsOutdated">Right, and to be hashed anew with today's parameters.</param>
public readonly record struct PasswordVerdict(bool IsRight, bool IsOutdated);
