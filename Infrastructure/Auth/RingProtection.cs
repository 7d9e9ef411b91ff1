using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Secrets;
using Microsoft.AspNetCore.DataProtection;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Protects what ASP.NET hands to browsers and takes back, with keys that come of the key ring, as all else that is sealed.</summary>
/// <remarks>
/// AES-256-GCM under a key for the purpose (HKDF), which any process with the ring opens; an older key of the ring as well. Nothing
/// is kept in files of its own.
/// </remarks>
public sealed class RingProtection(KeyRing ring) : IDataProtectionProvider
{
    public IDataProtector CreateProtector(string purpose) => new Protector(ring, purpose);

    private sealed class Protector(KeyRing ring, string purpose) : IDataProtector
    {
        private const int KidSize = 8;

        private static readonly int TagSize = AesGcm.TagByteSizes.MaxSize;
        private static readonly int NonceSize = AesGcm.NonceByteSizes.MaxSize;

        public IDataProtector CreateProtector(string inner) => new Protector(ring, $"{purpose}\n{inner}");

        public byte[] Protect(byte[] plaintext)
        {
            var whole = new byte[KidSize + NonceSize + plaintext.Length + TagSize];
            Encoding.ASCII.GetBytes(ring.Active.Id, whole);
            var nonce = whole.AsSpan(KidSize, NonceSize);
            RandomNumberGenerator.Fill(nonce);
            using var cipher = NewCipher(ring.Active);
            cipher.Encrypt(
                nonce,
                plaintext,
                whole.AsSpan(KidSize + NonceSize, plaintext.Length),
                whole.AsSpan(whole.Length - TagSize)
            );
            return whole;
        }

        /// <exception cref="CryptographicException">It was not protected here, for this purpose.</exception>
        public byte[] Unprotect(byte[] protectedData)
        {
            var length = protectedData.Length - KidSize - NonceSize - TagSize;
            if (length < 0 || ring.Find(Encoding.ASCII.GetString(protectedData, 0, KidSize)) is not { } key)
            {
                throw new CryptographicException("It was not protected by a key of this ring.");
            }

            var plaintext = new byte[length];
            using var cipher = NewCipher(key);
            cipher.Decrypt(
                protectedData.AsSpan(KidSize, NonceSize),
                protectedData.AsSpan(KidSize + NonceSize, length),
                protectedData.AsSpan(protectedData.Length - TagSize),
                plaintext
            );
            return plaintext;
        }

        private AesGcm NewCipher(RingKey key) => new(key.Derive($"protection of {purpose}"), TagSize);
    }
}
