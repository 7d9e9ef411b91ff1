using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using NSec.Cryptography;

namespace Bellhop.Features.Accounts;

/// <summary>A password as it is stored: Argon2id in the form of PHC, <c>$argon2id$v=19$m=19456,t=2,p=1$salt$hash</c>.</summary>
/// <param name="MemoryKiB">m.</param>
/// <param name="Passes">t.</param>
internal sealed partial record PasswordHash(int MemoryKiB, int Passes, byte[] Salt, byte[] Hash)
{
    /// <summary>OWASP's password storage sheet; 59 ms on the machines this was measured on.</summary>
    public const int MinMemoryKiB = 19_456;
    public const int MinPasses = 2;

    // what somebody else made may cost so much more, and not all the memory there is
    private const int MaxFactor = 4;
    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    /// <summary>Whether today's parameters are others.</summary>
    public bool IsOutdated => (MemoryKiB, Passes, Hash.Length) != (MinMemoryKiB, MinPasses, HashBytes);

    /// <summary>A hash that no password has, and that takes as long to find out.</summary>
    public static PasswordHash OfNobody { get; } =
        new(
            MinMemoryKiB,
            MinPasses,
            RandomNumberGenerator.GetBytes(SaltBytes),
            RandomNumberGenerator.GetBytes(HashBytes)
        );

    /// <summary>Takes some 60 ms of a core and 19 MiB.</summary>
    public static PasswordHash Of(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        return new PasswordHash(
            MinMemoryKiB,
            MinPasses,
            salt,
            Derive(password, salt, MinMemoryKiB, MinPasses, HashBytes)
        );
    }

    /// <summary>Null for what is no hash of this kind, or would cost more than four times as much.</summary>
    public static PasswordHash? Parse(string? phc)
    {
        if (phc is null || Form().Match(phc) is not { Success: true } match)
        {
            return null;
        }

        var (memory, passes) = (Read(match, "m"), Read(match, "t"));
        var (salt, hash) = (Bytes(match, "salt"), Bytes(match, "hash"));
        return
            memory is >= 8 and <= MinMemoryKiB * MaxFactor
            && passes is >= 1 and <= MinPasses * MaxFactor
            && salt is { Length: SaltBytes }
            && hash is { Length: >= 16 and <= 64 }
            ? new PasswordHash(memory, passes, salt, hash)
            : null;
    }

    /// <summary>Takes equally long for each password.</summary>
    public bool IsOf(string password) =>
        CryptographicOperations.FixedTimeEquals(Derive(password, Salt, MemoryKiB, Passes, Hash.Length), Hash);

    /// <summary>As it is stored.</summary>
    public string ToPhc() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"$argon2id$v=19$m={MemoryKiB},t={Passes},p=1${Text(Salt)}${Text(Hash)}"
        );

    /// <summary>The parameters only.</summary>
    public override string ToString() => $"argon2id m={MemoryKiB} t={Passes}";

    private static byte[] Derive(string password, byte[] salt, int memory, int passes, int length)
    {
        var parameters = new Argon2Parameters
        {
            DegreeOfParallelism = 1,
            MemorySize = memory,
            NumberOfPasses = passes,
        };
        var bytes = Encoding.UTF8.GetBytes(password);
        try
        {
            return PasswordBasedKeyDerivationAlgorithm.Argon2id(parameters).DeriveBytes(bytes, salt, length);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private static int Read(Match match, string group) =>
        int.TryParse(match.Groups[group].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : 0;

    private static string Text(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[]? Bytes(Match match, string group)
    {
        var text = match.Groups[group].Value;
        var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        return Convert.TryFromBase64String(padded, bytes, out var length) ? bytes[..length] : null;
    }

    // more than one lane is not what libsodium does
    [GeneratedRegex(
        @"^\$argon2id\$v=19\$m=(?<m>[0-9]{1,9}),t=(?<t>[0-9]{1,9}),p=1\$(?<salt>[A-Za-z0-9+/]{1,100})\$(?<hash>[A-Za-z0-9+/]{1,100})\z"
    )]
    private static partial Regex Form();
}
